"""``/debug``: off unless switched on, true where it is, and each tenant sees its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from gateway_kit import KEY, Gateway, job

from frameloom.common.documents import (
    ApiKey,
    Attempt,
    Failure,
    FailureCategory,
    JobStatus,
    KeyLimits,
    Outcome,
    PipelineOffer,
    Service,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.documents.facts import (
    CudaFacts,
    Facts,
    ModelFacts,
    SlotFacts,
    SlotState,
    WorkerFacts,
)
from frameloom.common.pipelines import PipelineInfo, Progress
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import Scope
from frameloom.gateway.services.mock_events import MockEvents
from frameloom.gateway.settings import DiagnosticsSettings, LimitSettings

PATHS = (
    "server-info",
    "token-info",
    "pipelines",
    "jobs/x",
    "request-log",
    "mock-events",
    "background-jobs",
)
STRICT = {"token-info", "jobs/x", "request-log"}
YUNET = ModelFacts(name="yunet", sha256="8f", version="2023mar", cached=True)
SFACE = ModelFacts(name="sface", sha256="0b", cached=False)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


async def a_key(gateway: Gateway, *scopes: Scope, tenant: str = "ours", **more: Any) -> str:
    text = drawn()
    key = ApiKey(
        id=f"id-of-{text[3:]}",
        hash=gateway.access.ring.hash(text),
        prefix=text[:8],
        name="laptop",
        tenant=tenant,
        scopes=tuple(scopes),
        created_at=gateway.clock.now(),
        **more,
    )
    assert await gateway.keys.insert(key)
    return text


async def asked(gateway: Gateway, path: str, key: str | None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with gateway.stranger() as http, http.get(f"/api/v1/debug/{path}", headers=headers) as answer:
        return answer.status, await answer.json()


class TestDoor:
    async def test_it_does_not_exist_unless_it_is_switched_on(self) -> None:
        async with Gateway(diagnostics=DiagnosticsSettings()).running() as gateway:
            for path in PATHS:
                assert await gateway.get(f"/api/v1/debug/{path}") == (404, {"detail": "Not Found"})
            document = (await gateway.get("/openapi.json"))[1]
            assert not [path for path in document["paths"] if "debug" in path]

    @pytest.mark.parametrize("path", PATHS)
    async def test_without_a_key_it_answers_as_the_original_does_or_stricter(
        self, gateway: Gateway, path: str
    ) -> None:
        status, body = await asked(gateway, path, None)
        assert status == (403 if path in STRICT else 401)
        if path in STRICT:
            assert body["detail"] == "Not authenticated"

    async def test_server_info_is_for_admins(self, gateway: Gateway) -> None:
        key = await a_key(gateway, Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.RESULTS_READ)
        assert (await asked(gateway, "server-info", key))[0] == 403
        for path in ("token-info", "pipelines", "request-log", "background-jobs"):
            assert (await asked(gateway, path, key))[0] == 200, path


class TestServerInfo:
    async def test_it_is_this_process(self) -> None:
        async with Gateway(sampled=True).running() as gateway:
            await gateway.jobs.insert(job(gateway.clock, "a"))
            gateway.clock.advance(90)
            body = (await gateway.get("/api/v1/debug/server-info"))[1]
        assert set(body) >= {"server", "database", "pipelines", "system", "request_stats"}
        assert body["server"]["uptime_seconds"] == 90
        assert body["server"]["debug_mode"] is True
        assert body["server"]["host"] == "gateway-host"
        assert body["database"] == {
            "backend": "memory",
            "path": "memory",
            "connection_status": "healthy",
            "total_jobs": 1,
            "active_connections": 1,
            "size_mb": None,
        }
        assert body["pipelines"]["available"] == ["face_analysis", "scene_detection"]
        assert body["pipelines"]["loading_errors"] == ["broken: its model is missing"]
        assert body["system"]["cpu_count"] >= 1
        assert body["system"]["memory_total_gb"] > 0
        assert body["system"]["gpu"]["available"] is False

    async def test_requests_are_counted(self, gateway: Gateway) -> None:
        for _ in range(3):
            await gateway.get("/api/v1/jobs/x")
        gateway.clock.advance(3 * 3600)
        await gateway.get("/api/v1/jobs/x")
        stats = (await gateway.get("/api/v1/debug/server-info"))[1]["request_stats"]
        assert (stats["total_requests"], stats["requests_last_hour"]) == (4, 1)
        assert stats["average_response_time_ms"] > 0


class TestTokenInfo:
    async def test_it_is_the_key_of_the_request(self) -> None:
        limits = LimitSettings(requests_per_second=2, burst=50)
        async with Gateway(limits=limits).running() as gateway:
            expires = gateway.clock.now() + timedelta(days=3)
            key = await a_key(gateway, Scope.JOBS_READ, Scope.RESULTS_READ, expires_at=expires)
            first = gateway.clock.now()
            await asked(gateway, "pipelines", key)
            gateway.clock.advance(5)
            await asked(gateway, "pipelines", key)
            body = (await asked(gateway, "token-info", key))[1]
        token = body["token"]
        assert (token["valid"], token["username"], token["tenant"]) == (True, "laptop", "ours")
        assert token["permissions"] == ["jobs:read", "results:read"]
        assert token["expires_at"] == expires.isoformat().replace("+00:00", "Z")
        assert token["status"] == "active"
        rate = token["rate_limit"]
        assert (rate["requests_per_minute"], rate["requests_per_hour"], rate["burst"]) == (120, 7200, 50)
        assert rate["remaining"] == 47, "three requests so far; asking took none of its own"
        assert body["session"]["total_requests"] == 2
        assert body["session"]["first_request"] == first.isoformat().replace("+00:00", "Z")
        assert key not in json.dumps(body)

    async def test_a_key_with_limits_of_its_own_tells_those(self, gateway: Gateway) -> None:
        key = await a_key(gateway, Scope.JOBS_READ, limits=KeyLimits(requests_per_second=1.0, burst=5))
        rate = (await asked(gateway, "token-info", key))[1]["token"]["rate_limit"]
        assert (rate["requests_per_minute"], rate["burst"]) == (60, 5)


class TestPipelines:
    async def test_it_tells_who_runs_what_and_what_is_warm(self, gateway: Gateway) -> None:
        info = PipelineInfo(
            name="face_analysis",
            version="2",
            display_name="Faces",
            description="d",
            config_schema={"properties": {"p": {"type": "number", "default": 1, "minimum": 0}}},
        )
        await gateway.fleet.offer([PipelineOffer(id="face_analysis", info=info, models=(YUNET, SFACE))])
        slot = SlotFacts(
            state=SlotState.IDLE,
            models=(ModelFacts(name="yunet", sha256="8f"),),
            warm_pipelines=("face_analysis",),
        )
        await gateway.announce(
            "w2",
            Service.WORKER,
            slots=1,
            pipelines=("face_analysis",),
            facts=Facts(worker=WorkerFacts(slots=(slot,))),
        )
        found = (await gateway.get("/api/v1/debug/pipelines"))[1]["pipelines"]
        by_name = {one["name"]: one for one in found}
        faces = by_name["face_analysis"]
        assert (faces["status"], faces["enabled"], faces["warm"], faces["version"]) == (
            "ready",
            True,
            True,
            "2",
        )
        assert faces["parameters"]["p"] == {"type": "float", "default": 1, "min": 0, "description": ""}
        yunet, sface = faces["components"]
        assert (yunet["model_loaded"], yunet["loaded_in_slots"], yunet["model"]["sha256"]) == (True, 1, "8f")
        assert (sface["model_loaded"], sface["cached"]) == (False, False)
        assert [(w["id"], w["slots_warm"], w["host"]) for w in faces["workers"]] == [("w2", 1, "host")]
        assert (by_name["broken"]["status"], by_name["broken"]["reason"]) == (
            "unavailable",
            "its model is missing",
        )
        assert by_name["scene_detection"]["warm"] is False
        key = await a_key(gateway, Scope.JOBS_READ)
        found = (await asked(gateway, "pipelines", key))[1]["pipelines"]
        assert "host" not in next(one for one in found if one["name"] == "face_analysis")["workers"][0]


class TestJob:
    async def test_everything_about_a_job_that_runs(self, gateway: Gateway) -> None:
        made = job(gateway.clock, "j", events=3, status=JobStatus.RUNNING, config={"a": 1})
        await gateway.jobs.insert(made)
        start = made.created_at
        lost = Attempt(
            number=1,
            epoch=1,
            worker="w0",
            started_at=start + timedelta(seconds=2),
            ended_at=start + timedelta(seconds=5),
            outcome=Outcome.FAILED,
            failure=Failure(category=FailureCategory.WORKER_LOST, message="It fell silent."),
        )
        now = Attempt(number=2, epoch=2, worker="worker", started_at=start + timedelta(seconds=10))
        common = {"job_id": "j", "tenant": "default", "media": made.media, "created_at": start}
        result = TaskResult(
            epoch=1, manifest_key="results/j/faces/000001/manifest.json", artefacts=(), annotation_count=0
        )
        await gateway.tasks.insert_missing(
            [
                TaskDocument(
                    id="t1",
                    pipeline="scenes",
                    state=TaskState.RUNNING,
                    attempt=2,
                    epoch=2,
                    owner="worker",
                    attempts=(lost, now),
                    started_at=lost.started_at,
                    progress=Progress(stage="annotating", fraction=0.5, frames_done=100),
                    **common,  # type: ignore[arg-type]
                ),
                TaskDocument(id="t2", pipeline="faces", state=TaskState.COMPLETED, result=result, **common),  # type: ignore[arg-type]
            ]
        )
        slot = SlotFacts(
            state=SlotState.BUSY,
            job_id="j",
            tenant="default",
            rss_bytes=512 * 2**20,
            cpu_percent=95.0,
            cuda=CudaFacts(memory_allocated_bytes=2**30, memory_reserved_bytes=2**30),
        )
        await gateway.announce("worker", Service.WORKER, facts=Facts(worker=WorkerFacts(slots=(slot,))))
        gateway.clock.advance(30)
        await gateway.announce("worker", Service.WORKER, facts=Facts(worker=WorkerFacts(slots=(slot,))))
        status, body = await gateway.get("/api/v1/debug/jobs/j")
        assert status == 200
        told = body["job"]
        assert (told["status"], told["configuration"], told["retry_count"]) == ("running", {"a": 1}, 1)
        facts = told["debug_info"]
        assert (facts["queue_wait_time_ms"], facts["processing_time_ms"]) == (2000, 28_000)
        assert (facts["current_pipeline"], facts["progress_percentage"]) == ("scenes", 75.0)
        # 28 s for three quarters: 37.3 s in all, after the first 2.
        assert facts["estimated_completion"].startswith("2026-01-01T00:00:39.33")
        assert facts["resource_usage"] == {
            "gpu_memory_mb": 1024.0,
            "cpu_usage": 95.0,
            "memory_mb": 512.0,
            "processing_fps": 5.0,
        }
        assert [entry["seq"] for entry in told["pipeline_logs"]] == [1, 2, 3]
        assert told["files"] == {
            "input_video": "media/j/source",
            "output_directory": "results/j/",
            "temp_files": ["chunks/j/"],
        }
        faces, scenes = told["tasks"]
        assert (faces["pipeline"], faces["progress_percentage"]) == ("faces", 100.0)
        assert [(a["worker"], a["outcome"], a["seconds"]) for a in scenes["attempts"]] == [
            ("w0", "failed", 3.0),
            ("worker", "running", 20.0),
        ]
        assert scenes["attempts"][0]["message"] == "It fell silent."

    async def test_one_that_waits_tells_its_place_and_one_that_failed_why(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "waits"))
        facts = (await gateway.get("/api/v1/debug/jobs/waits"))[1]["job"]["debug_info"]
        assert (facts["queue_position"], facts["queue_wait_time_ms"], facts["estimated_completion"]) == (
            1,
            None,
            None,
        )
        ended = job(gateway.clock, "failed", status=JobStatus.FAILED, error_message="All pipelines failed.")
        await gateway.jobs.insert(ended)
        told = (await gateway.get("/api/v1/debug/jobs/failed"))[1]["job"]
        assert told["errors"] == ["All pipelines failed."]

    async def test_an_unknown_one_is_404_and_another_tenants_only_the_operators(
        self, gateway: Gateway
    ) -> None:
        await gateway.jobs.insert(job(gateway.clock, "theirs", tenant="theirs"))
        status, body = await gateway.get("/api/v1/debug/jobs/nobody")
        assert (status, body["error"]["code"]) == (404, "JOB_NOT_FOUND")
        assert (await asked(gateway, "jobs/theirs", KEY))[0] == 200
        admin = await a_key(gateway, Scope.ADMIN)
        assert (await asked(gateway, "jobs/theirs", admin))[0] == 404


class TestRequestLog:
    async def test_it_has_the_latest_requests_without_secrets(self, gateway: Gateway) -> None:
        await gateway.get("/api/v1/jobs/some-secret-id?token=hush")
        await gateway.get("/invented/path")
        async with gateway.client.get("/api/v1/health", headers={"X-Request-ID": "mine"}):
            pass
        body = (await gateway.get("/api/v1/debug/request-log?limit=2"))[1]
        assert (body["showing"], body["total_logged"]) == (2, 3)
        assert "Last 1000 requests" in body["log_retention"]
        shown = [(one["method"], one["path"], one["status_code"], one["tenant"]) for one in body["requests"]]
        assert shown == [("GET", None, 404, None), ("GET", "/api/v1/health", 200, "default")]
        assert body["requests"][1]["request_id"] == "mine"
        body = (await gateway.get("/api/v1/debug/request-log?limit=100"))[1]
        assert body["requests"][0]["path"] == "/api/v1/jobs/{job_id}"
        assert body["requests"][0]["status_code"] == 404
        assert body["requests"][0]["response_time_ms"] > 0
        text = json.dumps(body)
        for secret in ("some-secret-id", "hush", "invented", KEY, "Bearer"):
            assert secret not in text

    async def test_each_tenant_sees_its_own(self, gateway: Gateway) -> None:
        ours, theirs = (
            await a_key(gateway, Scope.JOBS_READ),
            await a_key(gateway, Scope.ADMIN, tenant="theirs"),
        )
        for _ in range(3):
            await asked(gateway, "pipelines", theirs)
        await asked(gateway, "pipelines", ours)
        body = (await asked(gateway, "request-log", ours))[1]
        assert [(one["tenant"], one["path"]) for one in body["requests"]] == [
            ("ours", "/api/v1/debug/pipelines")
        ]
        assert body["total_logged"] == 1
        everything = (await asked(gateway, "request-log", KEY))[1]
        assert everything["total_logged"] == 5

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "1.5"])
    async def test_a_wrong_limit_is_told_as_fastapi_does(self, gateway: Gateway, limit: str) -> None:
        status, body = await gateway.get(f"/api/v1/debug/request-log?limit={limit}")
        assert status == 422
        assert body["detail"][0]["loc"] == ["query", "limit"]
        assert set(body["detail"][0]) >= {"type", "loc", "msg", "input"}

    async def test_it_is_bounded(self) -> None:
        settings = DiagnosticsSettings(status_seconds=0, debug=True, request_log_entries=5)
        async with Gateway(diagnostics=settings).running() as gateway:
            for _ in range(12):
                await gateway.get("/api/v1/health")
            body = (await gateway.get("/api/v1/debug/request-log?limit=100"))[1]
            assert (body["showing"], body["total_logged"]) == (5, 5)


class TestMockEvents:
    async def test_they_are_ten_in_the_originals_shapes_and_say_that_they_are_mocks(
        self, gateway: Gateway
    ) -> None:
        async with gateway.client.get("/api/v1/debug/mock-events?job_id=mine") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            text = await answer.text()
        assert "event:" not in text, "plain messages, as the original sends"
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        assert [event["type"] for event in events] == [
            *["job.update"] * 4,
            "job.log",
            *["job.update"] * 4,
            "job.complete",
            "connection.close",
        ]
        assert all(event["mock"] is True and event["data"]["mock"] is True for event in events)
        assert {event["data"]["job_id"] for event in events[:-1]} == {"mine"}
        assert events[0]["data"]["progress"] == 15.5
        assert events[8]["data"]["progress"] == 87.5
        assert set(events[9]["data"]) == {"job_id", "artifacts", "completion_time", "mock"}

    async def test_they_end_when_the_client_leaves(self) -> None:
        settings = DiagnosticsSettings(status_seconds=0, debug=True, mock_event_seconds=0.02)
        async with Gateway(diagnostics=settings).running() as gateway:
            async with gateway.client.get("/api/v1/debug/mock-events") as answer:
                await answer.content.readline()
                assert gateway.recorder.facts().requests_in_progress == 1
                answer.close()
            while gateway.recorder.facts().requests_in_progress:
                await asked(gateway, "pipelines", KEY)

    async def test_the_pause_is_a_setting(self, gateway: Gateway) -> None:
        slow = MockEvents(gateway.clock, 3600).stream(None)
        first = await anext(slow)
        assert b'"job_id": "test-job-123"' in first
        await slow.aclose()


class TestBackgroundJobs:
    async def test_it_is_the_whole_fleet(self, gateway: Gateway) -> None:
        at = gateway.clock.now()
        slots = (
            SlotFacts(
                state=SlotState.BUSY, job_id="a", tenant="theirs", pipeline="p", busy_since=at, pid=4711
            ),
            SlotFacts(state=SlotState.BUSY, job_id="b", tenant="ours", pipeline="p", busy_since=at, pid=4712),
        )
        await gateway.announce(
            "w2", Service.WORKER, slots=2, facts=Facts(worker=WorkerFacts(slots=slots)), host="worker-host"
        )
        made = job(gateway.clock, "q")
        await gateway.tasks.insert_missing(
            [TaskDocument(id="q", job_id="q", tenant="x", pipeline="p", media=made.media, created_at=at)]
        )
        body = (await gateway.get("/api/v1/debug/background-jobs"))[1]
        work = body["background_processing"]
        assert (work["running"], work["concurrent_jobs"], work["max_concurrent_jobs"]) == (True, 2, 2)
        assert work["processing_jobs"] == ["a", "b"]
        assert work["tasks_by_pipeline"] == {"p": {"queued": 1}}
        assert [one["id"] for one in body["workers"]] == ["worker", "w2"]
        key = await a_key(gateway, Scope.JOBS_READ)
        status, body = await asked(gateway, "background-jobs", key)
        assert (status, body["background_processing"]["processing_jobs"]) == (200, ["b"])
        assert body["background_processing"]["concurrent_jobs"] == 2
        assert body["system_info"]["pid"] is None
        assert not [word for word in ("worker-host", "4711", '"a"') if word in json.dumps(body)]
