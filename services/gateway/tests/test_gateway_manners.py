"""Manners: every refusal says what to do, repeats no novel, and speaks of nothing inside us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_kit import MP4, Gateway, form, job
from test_gateway_tus import PIECE, TUS, UPLOADS, asked, begun, metadata, patched

from frameloom.common.documents import Artefact, JobDocument, MediaRef, TaskResult, TaskState, TaskSummary
from frameloom.gateway.services.bootstrap import drawn

LONG = "scene" + "x" * 5000


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def hinted(status: int, body: Any) -> dict[str, Any]:
    """The error of an answer that tells what to do about it, in few words."""
    assert 400 <= status < 500, body
    error: dict[str, Any] = body["error"]
    assert error.get("hint"), error
    assert len(json.dumps(error, ensure_ascii=False)) < 1500, error
    for word in ("recursion", "Python", "sys.", "codec can't"):
        assert word not in json.dumps(error), error
    return error


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('{"a": 9223372036854775808}', "Integers go from -9223372036854775808 to 9223372036854775807"),
        ('{"a": 1e999}', "other numbers must be finite"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"$where": 1}', "'$where'"),
        ('{"a\\u0000b": 1}', "rename it"),
        ('{"a":' * 40 + "1" + "}" * 40, "No pipeline has keys that deep"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": "\\ud800"}', "surrogate"),
        ("{broken", "line 1 column 2"),
    ],
)
async def test_a_configuration_that_can_not_be_read_says_how_it_could(
    gateway: Gateway, config: str, told: str
) -> None:
    status, body = await gateway.post(form(fields={"config": config, "selected_pipelines": "scene"}))
    error = hinted(status, body)
    assert (status, error["code"]) == (400, "INVALID_REQUEST")
    assert told in f"{error['message']} {error['hint']}"


async def test_deep_json_is_refused_in_our_words_wherever_it_is_read(gateway: Gateway) -> None:
    for path in ("/api/v1/config/validate", "/api/v1/uploads/direct"):
        kind = {"Content-Type": "application/json"}
        async with gateway.client.post(path, data="[" * 100_000, headers=kind) as answer:
            assert answer.status == 422
            (problem,) = (await answer.json())["detail"]
        assert problem["ctx"] == {"error": "it is nested too deeply"}


async def test_a_form_with_two_videos_is_told_to_bring_one(gateway: Gateway) -> None:
    data = form()
    data.add_field("video", MP4, filename="b.mp4", content_type="video/mp4")
    status, body = await gateway.post(data)
    assert "one part" in hinted(status, body)["hint"]
    assert gateway.objects.held == {}


@pytest.mark.parametrize("number", ["-1", "many", "1.5", "9" * 30, ""])
async def test_a_wrong_length_or_offset_says_what_a_right_one_is(gateway: Gateway, number: str) -> None:
    headers = {**TUS, "Upload-Length": number, "Upload-Metadata": metadata(filename="a.mp4")}
    status, _, body = await asked(gateway, "POST", UPLOADS, headers)
    assert "Upload-Length as a whole number" in hinted(status, body)["hint"]
    url = await begun(gateway)
    status, _, body = await asked(gateway, "PATCH", url, {**PIECE, "Upload-Offset": number}, data=b"x")
    assert "Upload-Offset as a whole number" in hinted(status, body)["hint"]


async def test_what_a_user_wrote_is_repeated_in_few_words(gateway: Gateway) -> None:
    answers = [
        await gateway.get(f"/api/v1/pipelines/{LONG}"),
        await gateway.get(f"/api/v1/jobs/{LONG}"),
        await gateway.get(f"/api/v1/keys/{LONG}"),
        await gateway.get(f"/api/v1/uploads/{LONG}"),
        await gateway.get(f"/viewer/{LONG}.js"),
        await gateway.post(form(fields={"selected_pipelines": LONG})),
        await gateway.post(form(filename=f"{'y' * 200}.mp4", video=b"no media at all, only text" * 50)),
    ]
    for status, body in answers:
        error = hinted(status, body)
        assert len(error["message"]) < 200, error
        assert "…" in error["message"] or "VIEWER" in error["code"]
    for path, sent in (
        ("/api/v1/pipelines/scene_detection/validate", {"config": {LONG: 1}}),
        ("/api/v1/config/validate", {"config": {"scene_detection": {LONG: 1}}, "selected_pipelines": [LONG]}),
    ):
        async with gateway.client.post(path, json=sent) as answer:
            body = await answer.json()
        items = [*body["errors"], *body["warnings"]]
        assert items
        for item in items:
            assert all(len(text) <= 400 for text in item.values()), item


async def with_a_result(gateway: Gateway) -> JobDocument:
    body = b'{"annotations": []}'
    artefact = Artefact(
        key="results/j/clip_scene_detection.json",
        filename="clip_scene_detection.json",
        format="COCO",
        media_type="application/json",
        size_bytes=len(body),
        sha256="0" * 64,
        annotation_count=0,
    )
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(artefact,), annotation_count=0)
    task = TaskSummary(id="t", pipeline="scene_detection", state=TaskState.COMPLETED, result=result)
    media = MediaRef(key="media/j/source", filename="clip.mp4", size_bytes=len(MP4), sha256="0" * 64)
    made = job(gateway.clock, "j", status="completed", media=media, tasks=(task,))
    await gateway.jobs.insert(made)
    await gateway.objects.put(artefact.key, body, artefact.media_type)
    await gateway.objects.put(made.media.key, MP4, "video/mp4")
    return made


class TestResultFiles:
    @pytest.mark.parametrize("name", ["scene_detection", "scene", "Scene-Detection", "scene_plain"])
    async def test_they_are_found_by_whatever_the_pipeline_may_be_called(
        self, gateway: Gateway, name: str
    ) -> None:
        await with_a_result(gateway)
        async with gateway.client.get(f"/api/v1/jobs/j/results/files/{name}") as answer:
            assert (answer.status, await answer.json()) == (200, {"annotations": []})

    @pytest.mark.parametrize("name", ["face", "nonsense", LONG])
    async def test_of_another_pipeline_there_are_none_and_it_says_which_there_are(
        self, gateway: Gateway, name: str
    ) -> None:
        await with_a_result(gateway)
        error = hinted(*await gateway.get(f"/api/v1/jobs/j/results/files/{name}"))
        assert error["code"] == "INVALID_REQUEST"
        assert error["message"].endswith("is no part of job j; it runs: scene_detection")


class TestCompletedUploads:
    async def test_a_direct_one_has_no_more_parts(self, gateway: Gateway) -> None:
        sent = {"filename": "clip.mp4", "size_bytes": len(MP4), "selected_pipelines": ["scene_detection"]}
        async with gateway.client.post("/api/v1/uploads/direct", json=sent) as answer:
            direct = await answer.json()
        parts = []
        for part in direct["parts"]:
            begin = (part["number"] - 1) * direct["part_size_bytes"]
            body = MP4[begin : begin + part["size_bytes"]]
            key, store_id = part["url"].removeprefix("memory://").split("?upload=")
            stored = await gateway.objects.put_part(key, store_id.split("&")[0], part["number"], body)
            parts.append({"number": stored.number, "etag": stored.etag})
        url = f"/api/v1/uploads/{direct['upload_id']}"
        async with gateway.client.post(f"{url}/complete", json={"parts": parts}) as answer:
            assert answer.status == 201
            made = (await answer.json())["id"]
        async with gateway.client.post(f"{url}/parts") as answer:
            error = hinted(answer.status, await answer.json())
        assert (answer.status, error["code"]) == (409, "UPLOAD_COMPLETED")
        assert error["detail"]["job_id"] == made
        status, _, body = await patched(gateway, url, 0, b"x")
        assert (status, hinted(status, body)["code"]) == (409, "UPLOAD_COMPLETED")

    async def test_one_of_tus_is_not_sent_back_to_tus(self, gateway: Gateway) -> None:
        url = await begun(gateway)
        status, headers, _ = await patched(gateway, url, 0, MP4)
        assert status == 204
        for tail in ("/parts", "/complete"):
            async with gateway.client.post(url + tail, json={}) as answer:
                error = hinted(answer.status, await answer.json())
            assert (error["code"], error["detail"]["job_id"]) == ("UPLOAD_COMPLETED", headers["X-Job-Id"])


class TestVideosByToken:
    async def opened(self, gateway: Gateway, query: str, job_id: str = "j", method: str = "GET") -> int:
        path = f"/api/v1/jobs/{job_id}/video{query}"
        headers = {"Range": "bytes=0-9"}
        async with gateway.stranger() as http, http.request(method, path, headers=headers) as answer:
            return answer.status

    async def token(self, gateway: Gateway, key: str | None = None, **body: Any) -> str:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with gateway.client.post("/api/v1/events/token", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["token"])

    async def made(self, gateway: Gateway, **facts: Any) -> str:
        async with gateway.client.post("/api/v1/keys", json={"name": "lab", **facts}) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["key"])

    async def test_a_token_plays_the_videos_of_its_tenant_until_it_ends(self, gateway: Gateway) -> None:
        await with_a_result(gateway)
        await gateway.jobs.insert(job(gateway.clock, "theirs", tenant="another"))
        assert await self.opened(gateway, "") == 401
        text = await self.token(gateway, ttl_seconds=10)
        assert await self.opened(gateway, f"?token={text}") == 206
        assert await self.opened(gateway, f"?token={text}", method="HEAD") == 200
        assert await self.opened(gateway, f"?token={text}", "theirs") == 404
        assert await self.opened(gateway, f"?token={text}x") == 401
        gateway.clock.advance(11)
        assert await self.opened(gateway, f"?token={text}") == 401

    async def test_one_for_a_job_plays_that_one_only(self, gateway: Gateway) -> None:
        await with_a_result(gateway)
        await gateway.jobs.insert(job(gateway.clock, "second"))
        assert await self.opened(gateway, f"?token={await self.token(gateway, job_id='j')}") == 206
        assert await self.opened(gateway, f"?token={await self.token(gateway, job_id='second')}") == 401

    async def test_a_key_that_reads_no_results_lends_none(self, gateway: Gateway) -> None:
        await with_a_result(gateway)
        key = await self.made(gateway, scopes=["jobs:read"])
        assert await self.opened(gateway, f"?token={await self.token(gateway, key)}") == 403
        key = await self.made(gateway, scopes=["jobs:read", "results:read"], tenant="another")
        assert await self.opened(gateway, f"?token={await self.token(gateway, key)}") == 404

    async def test_it_opens_no_other_file_of_the_job(self, gateway: Gateway) -> None:
        await with_a_result(gateway)
        text = await self.token(gateway)
        for path in ("artifacts", "results", "results/files/scene_detection"):
            url = f"/api/v1/jobs/j/{path}?token={text}"
            async with gateway.stranger() as http, http.get(url) as answer:
                assert answer.status in {401, 403}


async def test_any_key_may_ask_about_itself(gateway: Gateway) -> None:
    path = "/api/v1/debug/token-info"
    sent = {"name": "writer", "scopes": ["results:read"]}
    async with gateway.client.post("/api/v1/keys", json=sent) as answer:
        key = (await answer.json())["key"]
    async with gateway.client.get(path, headers={"Authorization": f"Bearer {key}"}) as answer:
        assert answer.status == 200
        assert "writer" in await answer.text()
    async with gateway.client.get(path, headers={"Authorization": f"Bearer {drawn()}"}) as answer:
        assert answer.status == 401


async def test_what_does_not_fit_names_none_of_our_classes(gateway: Gateway) -> None:
    for path in ("/api/v1/config/validate", "/api/v1/events/token", "/api/v1/keys", "/api/v1/uploads/direct"):
        for sent in ([], [1], "text", 3):
            async with gateway.client.post(path, json=sent) as answer:
                assert answer.status == 422, path
                text = await answer.text()
            assert "class_name" not in text
            assert "model_type" not in text
            assert "Request" not in text, text
    async with gateway.client.post("/api/v1/events/token", json={"ttl_seconds": 0}) as answer:
        assert (await answer.json())["detail"][0]["ctx"] == {"ge": 1}


@pytest.mark.parametrize("path", ["/viewer-connect", "/viewer", "/viewer/", "/viewer/create/jobs"])
async def test_without_a_viewer_a_browser_is_told_with_a_page(gateway: Gateway, path: str) -> None:
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with gateway.client.get(path, headers=accept) as answer:
        page = await answer.text()
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "FRAMELOOM_GATEWAY_VIEWER_DIR" in page
    assert "<script" not in page
    error = hinted(*await gateway.get(path))
    assert (error["code"], "FRAMELOOM_GATEWAY_VIEWER_DIR" in error["hint"]) == ("VIEWER_NOT_FOUND", True)
