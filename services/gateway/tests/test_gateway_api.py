"""The rest of the API over the ports in memory: jobs, results, health, errors, CORS."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from gateway_kit import Gateway, job

from frameloom.common.documents import (
    Artefact,
    Attempt,
    Failure,
    FailureCategory,
    JobStatus,
    Liveness,
    Outcome,
    Service,
    TaskDocument,
    TaskResult,
    TaskState,
    TaskSummary,
)
from frameloom.common.errors import BrokerUnavailableError

FILE = bytes(range(256)) * 20
SHA = hashlib.sha256(FILE).hexdigest()
URL = "/api/v1/jobs/j/results/files/scene_detection"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def artefact(name: str) -> Artefact:
    return Artefact(
        key=f"results/{name}",
        filename=name,
        format="COCO",
        media_type="application/json",
        size_bytes=len(FILE),
        sha256=SHA,
        annotation_count=7,
    )


async def with_result(gateway: Gateway) -> None:
    """A job of which one pipeline has completed, after a lost attempt, one has failed and one waits."""
    now = gateway.clock.now()
    files = (artefact("späte.json"), artefact("more.json"))
    result = TaskResult(epoch=2, manifest_key="m", artefacts=files, annotation_count=14)
    failure = Failure(category=FailureCategory.DECODE_ERROR, message="The video is damaged.")
    lost = Failure(category=FailureCategory.WORKER_LOST, message="The worker was lost.")
    done = TaskSummary(
        id="t1",
        pipeline="scene_detection",
        state=TaskState.COMPLETED,
        started_at=now,
        ended_at=now + timedelta(seconds=2.5),
        result=result,
    )
    bad = TaskSummary(id="t2", pipeline="face_analysis", state=TaskState.FAILED, failure=failure)
    late = TaskSummary(id="t3", pipeline="other", state=TaskState.FINALIZING)
    stored = job(
        gateway.clock,
        "j",
        status=JobStatus.RUNNING,
        selected_pipelines=("scene_detection", "face_analysis", "other", "unplanned"),
        tasks=(done, bad, late),
    )
    await gateway.jobs.insert(stored)
    attempts = (
        Attempt(number=1, epoch=1, worker="w1", started_at=now, outcome=Outcome.FAILED, failure=lost),
        Attempt(number=2, epoch=2, worker="w2", started_at=now, outcome=Outcome.COMPLETED),
    )
    task = TaskDocument(
        id="t1",
        job_id="j",
        tenant="default",
        pipeline="scene_detection",
        media=stored.media,
        created_at=now,
        attempts=attempts,
    )
    await gateway.tasks.insert_missing([task])
    for file in files:
        await gateway.objects.put(file.key, FILE, file.media_type)


class TestJobs:
    async def test_a_page_is_oldest_first_with_places_in_the_queue(self, gateway: Gateway) -> None:
        for number in range(5):
            stands = JobStatus.RUNNING if number == 1 else JobStatus.PENDING
            await gateway.jobs.insert(job(gateway.clock, f"j{number}", status=stands))
            gateway.clock.advance(1)
        status, body = await gateway.get("/api/v1/jobs?per_page=3&page=1")
        assert status == 200
        assert (body["total"], body["page"], body["per_page"]) == (5, 1, 3)
        assert [(j["id"], j["queue_position"]) for j in body["jobs"]] == [("j0", 1), ("j1", None), ("j2", 2)]
        _, body = await gateway.get("/api/v1/jobs/?per_page=3&page=2")
        assert [(j["id"], j["queue_position"]) for j in body["jobs"]] == [("j3", 3), ("j4", 4)]

    async def test_places_count_other_tenants_jobs(self, gateway: Gateway) -> None:
        for number in range(3):
            tenant = "another" if number == 1 else "default"
            await gateway.jobs.insert(job(gateway.clock, f"j{number}", tenant=tenant))
            gateway.clock.advance(1)
        _, body = await gateway.get("/api/v1/jobs/")
        assert [(j["id"], j["queue_position"]) for j in body["jobs"]] == [("j0", 1), ("j2", 3)]

    @pytest.mark.parametrize("query", ["page=0", "page=-1", "per_page=0", "per_page=1001", "page=x"])
    async def test_bad_bounds_are_refused(self, gateway: Gateway, query: str) -> None:
        status, body = await gateway.get(f"/api/v1/jobs/?{query}")
        assert status == 422
        assert body["detail"][0]["loc"] == ["query", query.split("=")[0]]

    async def test_an_unknown_status_finds_none(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        assert (await gateway.get("/api/v1/jobs/?status_filter=odd"))[1]["jobs"] == []
        assert (await gateway.get("/api/v1/jobs/?status_filter=pending"))[1]["total"] == 1

    async def test_another_tenants_job_does_not_exist(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "theirs", tenant="another"))
        for path in ("", "/results", "/results/files/scene_detection"):
            status, body = await gateway.get(f"/api/v1/jobs/theirs{path}")
            assert (status, body["error"]["code"]) == (404, "JOB_NOT_FOUND")
        status, _ = await gateway.post(None, "/api/v1/jobs/theirs/cancel")
        assert status == 404
        async with gateway.client.delete("/api/v1/jobs/theirs") as answer:
            assert answer.status == 404
        assert gateway.jobs.held["theirs"].seq == 1
        assert (await gateway.get("/api/v1/events/stream?job_id=theirs"))[0] == 404

    async def test_cancelling_is_at_once_and_may_be_repeated(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        for _ in range(2):
            status, body = await gateway.post(None, "/api/v1/jobs/j/cancel")
            assert (status, body["status"]) == (200, "cancelled")
            assert body["error_message"] == body["message"] == "Job cancelled by user request"
            assert (body["job_id"], body["cancelled_at"]) == (body["id"], body["completed_at"])
        assert gateway.jobs.held["j"].seq == 2

    @pytest.mark.parametrize("over", [JobStatus.COMPLETED, JobStatus.FAILED])
    async def test_what_is_over_can_not_be_cancelled(self, gateway: Gateway, over: JobStatus) -> None:
        await gateway.jobs.insert(job(gateway.clock, "j", status=over))
        status, body = await gateway.post(None, "/api/v1/jobs/j/cancel")
        assert (status, body["error"]["code"]) == (409, "JOB_ALREADY_COMPLETED")
        assert body["error"]["detail"] == {"job_id": "j", "status": over}


class TestResults:
    async def test_every_pipeline_is_told_with_its_attempts_and_files(self, gateway: Gateway) -> None:
        await with_result(gateway)
        _, body = await gateway.get("/api/v1/jobs/j/results")
        told = body["pipeline_results"]
        assert {name: entry["status"] for name, entry in told.items()} == {
            "scene_detection": "completed",
            "face_analysis": "failed",
            "other": "running",
            "unplanned": "pending",
        }
        scene = told["scene_detection"]
        assert (scene["processing_time"], scene["annotation_count"]) == (2.5, 14)
        assert (scene["output_file"], scene["download_url"]) == ("späte.json", URL)
        assert [(a["number"], a["outcome"], a["category"]) for a in scene["attempts"]] == [
            (1, "failed", "worker_lost"),
            (2, "completed", None),
        ]
        assert [file["sha256"] for file in scene["files"]] == [SHA, SHA]
        assert told["face_analysis"]["error_category"] == "decode_error"
        assert told["face_analysis"]["error_message"] == "The video is damaged."

    async def test_the_urls_of_the_files_lead_to_them(self, gateway: Gateway) -> None:
        await with_result(gateway)
        _, body = await gateway.get("/api/v1/jobs/j/results")
        for file in body["pipeline_results"]["scene_detection"]["files"]:
            async with gateway.client.get(file["download_url"]) as answer:
                assert (answer.status, await answer.read()) == (200, FILE)
                assert answer.content_disposition is not None
                assert answer.content_disposition.filename == file["filename"]

    async def test_the_first_file_comes_whole_with_its_tag(self, gateway: Gateway) -> None:
        await with_result(gateway)
        async with gateway.client.get(URL) as answer:
            assert (answer.status, await answer.read()) == (200, FILE)
            assert answer.headers["ETag"] == f'"{SHA}"'
            assert answer.headers["Accept-Ranges"] == "bytes"
            assert answer.content_length == len(FILE)
            assert answer.content_type == "application/json"

    @pytest.mark.parametrize(
        ("value", "content", "header"),
        [
            ("bytes=1-3", FILE[1:4], "bytes 1-3/5120"),
            ("bytes=5000-", FILE[5000:], "bytes 5000-5119/5120"),
            ("bytes=-20", FILE[-20:], "bytes 5100-5119/5120"),
        ],
    )
    async def test_a_range(self, gateway: Gateway, value: str, content: bytes, header: str) -> None:
        await with_result(gateway)
        async with gateway.client.get(URL, headers={"Range": value}) as answer:
            assert (answer.status, await answer.read()) == (206, content)
            assert answer.headers["Content-Range"] == header
            assert answer.content_length == len(content)

    async def test_a_range_behind_the_end(self, gateway: Gateway) -> None:
        await with_result(gateway)
        async with gateway.client.get(URL, headers={"Range": "bytes=9999-"}) as answer:
            assert answer.status == 416
            assert answer.headers["Content-Range"] == "bytes */5120"
            assert (await answer.json())["error"]["code"] == "RANGE_NOT_SATISFIABLE"

    async def test_what_the_client_has_is_not_sent_again(self, gateway: Gateway) -> None:
        await with_result(gateway)
        async with gateway.client.get(URL, headers={"If-None-Match": f'"{SHA}"'}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == f'"{SHA}"'

    async def test_head_tells_the_facts_only(self, gateway: Gateway) -> None:
        await with_result(gateway)
        async with gateway.client.head(URL, headers={"Range": "bytes=1-3"}) as answer:
            assert (answer.status, answer.content_length) == (200, len(FILE))
            assert await answer.read() == b""

    @pytest.mark.parametrize(
        ("pipeline", "told"),
        [("other", "running"), ("unplanned", "pending"), ("face_analysis", "damaged"), ("zz", "no part")],
    )
    async def test_a_pipeline_without_a_file_says_why(
        self, gateway: Gateway, pipeline: str, told: str
    ) -> None:
        await with_result(gateway)
        status, body = await gateway.get(f"/api/v1/jobs/j/results/files/{pipeline}")
        assert (status, body["error"]["code"]) == (400, "INVALID_REQUEST")
        assert told in body["detail"]

    async def test_an_unknown_file_names_the_known_ones(self, gateway: Gateway) -> None:
        await with_result(gateway)
        status, body = await gateway.get(URL + "?file=zz")
        assert (status, body["error"]["code"]) == (404, "RESULT_FILE_NOT_FOUND")
        assert body["error"]["detail"]["files"] == ["späte.json", "more.json"]

    async def test_a_file_that_is_gone_is_a_404(self, gateway: Gateway) -> None:
        await with_result(gateway)
        gateway.objects.held.clear()
        assert (await gateway.get(URL))[0] == 404

    async def test_of_a_cancelled_job_nothing_runs(self, gateway: Gateway) -> None:
        task = TaskSummary(id="t", pipeline="scene_detection", state=TaskState.RUNNING)
        await gateway.jobs.insert(job(gateway.clock, "j", status=JobStatus.CANCELLED, tasks=(task,)))
        _, body = await gateway.get("/api/v1/jobs/j/results")
        assert body["pipeline_results"]["scene_detection"]["status"] == "cancelled"


class TestHealth:
    async def test_in_short(self, gateway: Gateway) -> None:
        status, body = await gateway.get("/api/v1/health")
        assert (status, set(body)) == (200, {"status", "version", "timestamp"})
        status, body = await gateway.get("/health")
        assert (status, body["status"], body["database"]["status"]) == (200, "healthy", "healthy")

    async def test_in_detail(self, gateway: Gateway) -> None:
        await gateway.announce("s", Service.SCHEDULER, liveness=Liveness.DRAINING)
        status, body = await gateway.get("/api/v1/health?detailed=true")
        details = body["details"]
        assert (status, body["status"]) == (200, "ok")
        assert details["database"]["jobs_count"] == 0
        assert details["registry"]["pipeline_names"] == ["broken", "face_analysis", "scene_detection"]
        states = {name: entry["status"] for name, entry in details["services"].items()}
        assert states == {
            "gateway": "healthy",
            "scheduler": "draining",
            "worker": "healthy",
            "results": "missing",
        }

    async def test_a_dependency_that_is_away_makes_it_unhealthy(self, gateway: Gateway) -> None:
        gateway.failing["broker"] = BrokerUnavailableError("The broker does not answer")
        status, body = await gateway.get("/api/v1/health?detailed=true")
        assert (status, body["status"]) == (503, "unhealthy")
        assert body["details"]["broker"] == {"status": "error", "error": "The broker does not answer"}
        assert (await gateway.get("/api/v1/health"))[0] == 200


class TestHttp:
    async def test_what_does_not_exist(self, gateway: Gateway) -> None:
        assert await gateway.get("/nothing") == (404, {"detail": "Not Found"})
        async with gateway.client.delete("/api/v1/health") as answer:
            assert (answer.status, await answer.json()) == (405, {"detail": "Method Not Allowed"})
            assert answer.headers["Allow"] == "GET"

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("/api/v1/health/", "/api/v1/health"),
            ("/api/v1/jobs/j/?a=b%20c", "/api/v1/jobs/j?a=b%20c"),
            ("/health/", "/health"),
        ],
    )
    async def test_a_slash_too_many_leads_to_the_path_without(
        self, gateway: Gateway, path: str, target: str
    ) -> None:
        async with gateway.client.get(path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (307, target)

    async def test_an_allowed_origin_is_told_so(self, gateway: Gateway) -> None:
        origin = {"Origin": "http://127.0.0.1:19011"}
        async with gateway.client.get("/api/v1/health", headers=origin) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
        ask = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a"}
        async with gateway.client.options("/api/v1/jobs", headers=ask) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Max-Age"] == "600"
            assert answer.headers["Access-Control-Allow-Headers"] == "x-a"

    async def test_another_origin_is_not(self, gateway: Gateway) -> None:
        ask = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
        async with gateway.client.options("/api/v1/jobs", headers=ask) as answer:
            assert (answer.status, await answer.text()) == (400, "Disallowed CORS origin")
        async with gateway.client.get("/api/v1/health", headers=ask) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers
