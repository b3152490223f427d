"""Uploads straight into the store, over the ports in memory: what the client writes is written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from gateway_kit import MP4, Gateway
from multidict import MultiDict
from yarl import URL

from frameloom.common import layout
from frameloom.common.adapters.memory.parts import MemoryPartedStore
from frameloom.common.clock import new_id
from frameloom.gateway.app import UPLOAD_KEEPER
from frameloom.gateway.settings import ResumableSettings

DIRECT = "/api/v1/uploads/direct"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def small() -> Gateway:
    """A gateway for which the file is a small one, to be written as a whole."""
    return Gateway(resumable=ResumableSettings.model_construct(part_bytes=1000, direct_part_bytes=len(MP4)))


async def sent(gateway: Gateway, path: str, body: Any = None) -> tuple[int, Any]:
    async with gateway.client.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def begun(gateway: Gateway, **changes: Any) -> dict[str, Any]:
    wanted = {"filename": "clip.mp4", "size_bytes": len(MP4), "selected_pipelines": ["scene_detection"]}
    status, body = await sent(gateway, DIRECT, {**wanted, **changes})
    assert status == 201, body
    return dict(body)


async def written(gateway: Gateway, part: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Writes a part to its address; answers how it is named."""
    query: MultiDict[str] = MultiDict(URL(part["url"]).query)
    (upload_id,) = (held.id for held in gateway.unfinished.held.values())
    stored = await gateway.objects.put_part(
        layout.uploaded(upload_id), query["upload"], int(query["number"]), body
    )
    return {"number": stored.number, "etag": f'"{stored.etag}"'}


async def all_written(gateway: Gateway, direct: dict[str, Any], data: bytes = MP4) -> list[dict[str, Any]]:
    size = direct["part_size_bytes"]
    return [
        await written(gateway, part, data[(part["number"] - 1) * size :][: part["size_bytes"]])
        for part in direct["parts"]
    ]


def path(direct: dict[str, Any], tail: str = "") -> str:
    return f"/api/v1/uploads/{direct['upload_id']}{tail}"


async def put(gateway: Gateway, direct: dict[str, Any], body: bytes) -> None:
    """Writes a whole file to its address."""
    await gateway.objects.put(layout.uploaded(direct["upload_id"]), body, "binary/octet-stream")


async def test_parts_that_were_written_become_the_job(gateway: Gateway) -> None:
    direct = await begun(gateway, sha256=hashlib.sha256(MP4).hexdigest(), config={})
    count = -(-len(MP4) // 1000)
    assert (direct["method"], direct["part_size_bytes"], direct["part_count"]) == ("multipart", 1000, count)
    assert direct["url"] is None
    assert sum(part["size_bytes"] for part in direct["parts"]) == len(MP4)
    parts = await all_written(gateway, direct)
    status, job = await sent(gateway, path(direct, "/complete"), {"parts": parts[::-1]})
    assert status == 201, job
    assert (job["status"], job["video_filename"], job["video_size_bytes"]) == (
        "pending",
        "clip.mp4",
        len(MP4),
    )
    ((key, (body, _)),) = gateway.objects.held.items()
    assert (key, body) == (layout.media(job["id"]), MP4)
    # Again it is the same job, with parts or without.
    for again in ({"parts": parts}, None):
        assert (await sent(gateway, path(direct, "/complete"), again))[1]["id"] == job["id"]
    assert list(gateway.jobs.held) == [job["id"]]
    status, shown = await gateway.get(path(direct))
    assert (shown["status"], shown["method"], shown["job_id"]) == ("completed", "multipart", job["id"])


async def test_a_small_file_is_written_as_a_whole() -> None:
    async with small().running() as gateway:
        direct = await begun(gateway)
        assert (direct["method"], direct["parts"], direct["part_size_bytes"]) == ("put", [], None)
        assert direct["url"] == f"memory://{layout.uploaded(direct['upload_id'])}?seconds=3600"
        status, body = await sent(gateway, path(direct, "/complete"))
        assert (status, body["error"]["code"]) == (409, "UPLOAD_INCOMPLETE")
        await put(gateway, direct, MP4[:100])
        status, body = await sent(gateway, path(direct, "/complete"))
        assert (status, body["error"]["detail"]) == (409, {"size_bytes": 100, "expected_bytes": len(MP4)})
        await put(gateway, direct, MP4)
        status, job = await sent(gateway, path(direct, "/complete"))
        assert status == 201
        # What is written later changes nothing, and is swept.
        await put(gateway, direct, b"late")
        assert gateway.objects.held[layout.media(job["id"])][0] == MP4
        gateway.clock.advance(20 * 3600 + 1)
        await gateway.app[UPLOAD_KEEPER].look()
        assert list(gateway.objects.held) == [layout.media(job["id"])]


async def test_parts_that_do_not_fit_can_be_sent_again(gateway: Gateway) -> None:
    direct = await begun(gateway)
    parts = await all_written(gateway, direct)
    wrong = [{**parts[0], "etag": "0" * 32}, *parts[1:]]
    for named in ([], parts[:-1], parts[1:], wrong, [*parts, {"number": 99, "etag": "x"}]):
        status, body = await sent(gateway, path(direct, "/complete"), {"parts": named})
        assert (status, body["error"]["code"]) == (409, "UPLOAD_INCOMPLETE"), named
        assert layout.UPLOADS not in body["error"]["message"]
    status, fresh = await sent(gateway, path(direct, "/parts"), {"numbers": [2]})
    assert (status, [part["number"] for part in fresh["parts"]]) == (200, [2])
    parts[1] = await written(gateway, fresh["parts"][0], MP4[1000:2000])
    assert (await sent(gateway, path(direct, "/complete"), {"parts": parts}))[0] == 201


@pytest.mark.parametrize("numbers", [[0], [-1], [10_000]])
async def test_there_are_no_addresses_of_parts_that_are_none(gateway: Gateway, numbers: list[int]) -> None:
    direct = await begun(gateway)
    status, body = await sent(gateway, path(direct, "/parts"), {"numbers": numbers})
    assert (status, body["error"]["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"size_bytes": 0}, 422, None),
        ({"size_bytes": "12"}, 422, None),
        ({"size_bytes": True}, 422, None),
        ({"sha256": "abc"}, 422, None),
        ({"surprise": 1}, 422, None),
        ({"size_bytes": 100_001}, 413, "PAYLOAD_TOO_LARGE"),
        ({"selected_pipelines": ["nothing"]}, 400, "PIPELINE_NOT_FOUND"),
        ({"config": {"scene_detection": {"threshold": 1000}}}, 400, "INVALID_CONFIG"),
    ],
)
async def test_a_beginning_that_makes_no_sense_is_refused(
    gateway: Gateway, changes: dict[str, Any], status: int, code: str | None
) -> None:
    wanted = {"filename": "clip.mp4", "size_bytes": len(MP4), "selected_pipelines": ["scene_detection"]}
    answered, body = await sent(gateway, DIRECT, {**wanted, **changes})
    assert answered == status, body
    assert code is None or body["error"]["code"] == code
    assert (gateway.unfinished.held, gateway.objects.joining) == ({}, {})


async def test_what_is_no_video_or_another_file_is_refused_and_removed(gateway: Gateway) -> None:
    for data, changes, status, code in (
        ((b"This is a letter. " * 1000)[: len(MP4)], {}, 415, "UNSUPPORTED_MEDIA"),
        (MP4, {"sha256": "0" * 64}, 400, "INVALID_REQUEST"),
    ):
        direct = await begun(gateway, **changes)
        parts = await all_written(gateway, direct, data)
        for _ in range(2):
            answered, body = await sent(gateway, path(direct, "/complete"), {"parts": parts})
            assert (answered, body["error"]["code"]) == (status, code)
        assert (await gateway.get(path(direct)))[1]["status"] == "refused"
        assert (gateway.objects.held, gateway.objects.joining, gateway.jobs.held) == ({}, {}, {})
        gateway.unfinished.held.clear()


async def test_a_file_that_changes_under_the_examination_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with small().running() as gateway:
        direct = await begun(gateway)
        await put(gateway, direct, MP4)
        copy = gateway.objects.copy

        async def changing(source: str, *more: Any, **options: Any) -> None:
            await put(gateway, direct, b"something else")
            await copy(source, *more, **options)

        monkeypatch.setattr(gateway.objects, "copy", changing)
        status, body = await sent(gateway, path(direct, "/complete"))
        assert (status, body["error"]["code"]) == (409, "OBJECT_CHANGED")
        monkeypatch.setattr(gateway.objects, "copy", copy)
        await put(gateway, direct, MP4 + b"longer")
        status, body = await sent(gateway, path(direct, "/complete"))
        assert (status, body["error"]["code"]) == (409, "UPLOAD_INCOMPLETE")
        await put(gateway, direct, MP4)
        assert (await sent(gateway, path(direct, "/complete")))[0] == 201


async def test_each_way_has_its_own_calls(gateway: Gateway) -> None:
    direct = await begun(gateway)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    kind = {"Content-Type": "application/offset+octet-stream"}
    async with gateway.client.patch(path(direct), data=MP4, headers={**headers, **kind}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "WRONG_UPLOAD_WAY")
    created = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    async with gateway.client.post(
        "/api/v1/uploads", headers=created, skip_auto_headers=("Content-Type",)
    ) as answer:
        url = answer.headers["Location"]
    for tail in ("/complete", "/parts"):
        status, body = await sent(gateway, url + tail, {})
        assert (status, body["error"]["code"]) == (409, "WRONG_UPLOAD_WAY")


async def test_it_can_be_given_up_and_expires(gateway: Gateway) -> None:
    for give_up in (True, False):
        direct = await begun(gateway)
        await all_written(gateway, direct)
        if give_up:
            async with gateway.client.delete(path(direct)) as answer:
                assert answer.status == 204
        else:
            gateway.clock.advance(20 * 3600 + 1)
            assert (await sent(gateway, path(direct, "/complete"), {"parts": []}))[0] == 410
            await gateway.app[UPLOAD_KEEPER].look()
        assert (gateway.unfinished.held, gateway.objects.held, gateway.objects.joining) == ({}, {}, {})
        assert (await sent(gateway, path(direct, "/complete")))[0] == 404


async def test_a_store_without_addresses_says_what_to_do(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(gateway.objects, "presigned_put", none)
    status, body = await sent(gateway, DIRECT, {"size_bytes": 5})
    assert (status, body["error"]["code"]) == (400, "DIRECT_UPLOAD_UNAVAILABLE")
    assert "/api/v1/uploads" in body["error"]["hint"]
    assert gateway.unfinished.held == {}


async def test_strays_are_swept(gateway: Gateway) -> None:
    direct = await begun(gateway)  # its document lives, so what lies there may be needed
    await all_written(gateway, direct)
    fresh = f"{layout.UPLOADS}{new_id()}/source"
    old = f"{layout.UPLOADS}019b0000-0000-7000-8000-000000000000/source"
    for key in (fresh, old, "media/another", f"{layout.UPLOADS}no-id/source"):
        await gateway.objects.put(key, b"1", "video/mp4")
    store: MemoryPartedStore = gateway.objects
    abandoned = await store.begin_parts("quarantine/j/source", "video/mp4")
    store.begun[abandoned] = gateway.clock.now() - timedelta(hours=25)
    await gateway.app[UPLOAD_KEEPER].strays.sweep()
    assert abandoned not in store.joining
    assert len(store.joining) == 1
    assert set(store.held) == {fresh, "media/another", f"{layout.UPLOADS}no-id/source"}
