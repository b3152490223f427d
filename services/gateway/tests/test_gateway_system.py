"""The whole fleet as the gateway tells it: true figures, and nothing that is not the caller's to see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from gateway_kit import Gateway, job
from prometheus_client.parser import text_string_to_metric_families

from frameloom.common.documents import (
    ApiKey,
    JobStatus,
    Liveness,
    Service,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.documents.facts import (
    CudaFacts,
    DiskFacts,
    Facts,
    GatewayFacts,
    GpuFacts,
    HostFacts,
    MemoryFacts,
    ModelFacts,
    SchedulerFacts,
    SlotFacts,
    SlotState,
    WorkerFacts,
    WorkTally,
)
from frameloom.common.errors import BrokerUnavailableError, DatabaseUnavailableError
from frameloom.gateway.services import metrics
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import Scope
from frameloom.gateway.settings import AuthSettings, DiagnosticsSettings

SECRET_WORDS = ("worker-host", "scheduler-host", "/secret/cache", "4711", "GPU-uuid", "acme-job", "memory:0")
ORIGINAL = {
    "status",
    "timestamp",
    "api_version",
    "videoannotator_version",
    "system",
    "database",
    "gpu",
    "pipelines",
    "workers",
    "services",
    "security",
    "uptime_seconds",
}
GPU = GpuFacts(
    index=0,
    uuid="GPU-uuid",
    name="Card",
    memory_total_bytes=80,
    memory_used_bytes=30,
    memory_free_bytes=50,
    utilization_percent=42,
    driver_version="550",
    cuda_version="12.4",
    compute_capability="6.1",
)
MEMORY = MemoryFacts(total_bytes=100, available_bytes=40, used_bytes=60, free_bytes=30, percent=60.0)


def host(percent: float = 50.0) -> HostFacts:
    return HostFacts(
        platform="Linux-6.1-x86",
        python_version="3.11.9",
        cpu_count=8,
        cpu_percent=12.5,
        load=(1.0, 0.5, 0.2),
        memory=MEMORY,
        disk=DiskFacts(path="/secret/cache", total_bytes=10, used_bytes=5, free_bytes=5, percent=percent),
    )


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


async def busy_fleet(gateway: Gateway) -> None:
    """A scheduler, a results process, and a worker with one of two slots at work for another tenant."""
    at = gateway.clock.now()
    slots = (
        SlotFacts(
            state=SlotState.BUSY,
            pid=4711,
            rss_bytes=2**20,
            cpu_percent=90.0,
            started_in_seconds=1.4,
            task_id="t",
            job_id="acme-job",
            tenant="acme",
            pipeline="scene_detection",
            busy_since=at - timedelta(seconds=8),
            warm_pipelines=("scene_detection",),
            models=(ModelFacts(name="yunet", sha256="8f"),),
            cuda=CudaFacts(memory_allocated_bytes=3, memory_reserved_bytes=5, oldest_capability="7.0"),
        ),
        SlotFacts(state=SlotState.IDLE, models=(ModelFacts(name="yunet", sha256="8f"),)),
    )
    work = {"scene_detection": WorkTally(completed=4, failed=1, seconds=10.0)}
    facts = Facts(
        host=host(),
        versions={"torch": "2.6", "ffmpeg": "7.1"},
        worker=WorkerFacts(slots=slots, gpus=(GPU,), unavailable={"broken": "no model"}, work=work),
    )
    await gateway.fleet.leave("worker")
    await gateway.announce(
        "worker", Service.WORKER, pipelines=("scene_detection",), slots=2, facts=facts, host="worker-host"
    )
    swept = SchedulerFacts(last_sweep_at=at, sweeps_total=7, sweep_every_seconds=1.5)
    await gateway.announce(
        "scheduler", Service.SCHEDULER, facts=Facts(scheduler=swept), host="scheduler-host", pid=4711
    )
    await gateway.announce("results", Service.RESULTS)


def task(gateway: Gateway, name: str, state: TaskState, annotations: int = 0) -> TaskDocument:
    made = job(gateway.clock, name)
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(), annotation_count=annotations)
    return TaskDocument(
        id=name,
        job_id=name,
        tenant="x",
        pipeline="scene_detection",
        media=made.media,
        created_at=made.created_at,
        state=state,
        result=result if state is TaskState.COMPLETED else None,
    )


async def a_key(gateway: Gateway, *scopes: Scope, tenant: str) -> str:
    text = drawn()
    key = ApiKey(
        id=f"id-of-{text[3:]}",
        hash=gateway.access.ring.hash(text),
        prefix=text[:8],
        name="n",
        tenant=tenant,
        scopes=tuple(scopes),
        created_at=gateway.clock.now(),
    )
    assert await gateway.keys.insert(key)
    return text


async def asked(gateway: Gateway, path: str, key: str | None = None) -> tuple[int, str]:
    """With this key, or without any."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with gateway.stranger() as http, http.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


class TestHealth:
    async def test_it_has_every_field_of_the_original_and_of_the_viewer(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        await gateway.jobs.insert(job(gateway.clock, "waits"))
        await gateway.tasks.insert_missing([task(gateway, "q", TaskState.QUEUED)])
        status, body = await gateway.get("/api/v1/system/health")
        assert status == 200
        assert set(body) >= ORIGINAL
        assert (body["status"], body["problems"]) == ("healthy", [])
        assert (body["api_version"], body["videoannotator_version"]) == ("1.4.4", "1.4.4")
        assert body["database"]["status"] == "healthy"
        assert body["workers"] == {
            "status": "running",
            "active_jobs": 1,
            "processing_jobs": ["acme-job"],
            "queued_jobs": 1,
            "queued_tasks": 1,
            "max_concurrent_workers": 2,
            "poll_interval_seconds": 1.5,
            "instances": 1,
            "busy_slots": 1,
        }
        assert body["services"]["job_queue"] == "kafka"
        assert body["services"]["pipelines"] == "ready"
        assert {name: body["services"][name] for name in ("gateway", "scheduler", "worker", "results")} == (
            dict.fromkeys(("gateway", "scheduler", "worker", "results"), "healthy")
        )
        assert body["security"] == {"auth_required": True}
        assert body["pipelines"]["total"] == 3
        assert body["pipelines"]["running"] == ["scene_detection"]
        assert body["worker_info"] == {
            "active_jobs": 1,
            "queued_jobs": 1,
            "max_concurrent_jobs": 2,
            "worker_status": "busy",
        }
        assert body["diagnostics"]["ffmpeg"] == {"available": True, "version": "7.1"}
        assert body["diagnostics"]["storage"]["disk_usage_percent"] == 50.0

    async def test_a_gpu_is_told_in_the_words_of_both(self, gateway: Gateway) -> None:
        assert (await gateway.get("/api/v1/system/health"))[1]["gpu"] == {
            "available": False,
            "reason": "No live worker has a GPU",
            "device_count": 0,
            "current_device": None,
            "device_name": None,
            "compute_capability": None,
            "memory_allocated": None,
            "memory_reserved": None,
            "devices": [],
        }
        await busy_fleet(gateway)
        body = (await gateway.get("/api/v1/system/health"))[1]
        gpu = body["gpu"]
        assert (gpu["available"], gpu["device_count"], gpu["device_name"]) == (True, 1, "Card")
        assert (gpu["memory_allocated"], gpu["memory_reserved"]) == (3, 5)
        assert "6.1 is below what PyTorch 2.6 has code for (7.0)" in gpu["compatibility_warning"]
        assert gpu["min_compute_capability"] == 7.0
        assert gpu["devices"][0]["driver_version"] == "550"
        assert body["gpu_status"] == {
            "available": True,
            "device_name": "Card",
            "cuda_version": "12.4",
            "memory_total": 80,
            "memory_used": 30,
            "memory_free": 50,
        }

    async def test_two_workers_of_one_machine_have_its_gpu_together(self, gateway: Gateway) -> None:
        facts = Facts(worker=WorkerFacts(gpus=(GPU,)))
        for name in ("one", "two"):
            await gateway.announce(name, Service.WORKER, facts=facts)
        assert (await gateway.get("/api/v1/system/health"))[1]["gpu"]["device_count"] == 1

    async def test_every_process_is_told_and_one_that_falls_silent_is_gone(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        fleet = (await gateway.get("/api/v1/system/health"))[1]["fleet"]
        assert {name: entry["instances"] for name, entry in fleet["services"].items()} == {
            "gateway": 1,
            "scheduler": 1,
            "worker": 1,
            "results": 1,
        }
        (worker,) = [one for one in fleet["processes"] if one["service"] == "worker"]
        assert (worker["worker"]["slots_total"], worker["worker"]["slots_busy"]) == (2, 1)
        assert worker["worker"]["warm_models"] == ["yunet"]
        assert worker["worker"]["unavailable"] == {"broken": "no model"}
        assert worker["worker"]["tasks"]["scene_detection"]["failed"] == 1
        assert worker["worker"]["slots"][0]["busy_seconds"] == 8
        assert worker["disk"]["path"] == "/secret/cache"
        assert worker["libraries"] == {"torch": "2.6", "ffmpeg": "7.1"}
        gateway.clock.advance(11)
        body = (await gateway.get("/api/v1/system/health"))[1]
        assert [one["service"] for one in body["fleet"]["processes"]] == ["gateway"]
        assert body["workers"]["status"] == "stopped"
        assert body["worker_info"]["worker_status"] == "stopped"
        assert body["status"] == "degraded"
        assert any("worker" in sentence for sentence in body["problems"])

    async def test_a_worker_that_only_drains_is_no_capacity(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        await gateway.announce("worker", Service.WORKER, slots=2, liveness=Liveness.DRAINING)
        body = (await gateway.get("/api/v1/system/health"))[1]
        assert body["services"]["worker"] == "draining"
        assert body["workers"]["max_concurrent_workers"] == 0
        assert body["status"] == "degraded"

    @pytest.mark.parametrize("path", ["/api/v1/system/health", "/api/v1/system/database", "/metrics"])
    async def test_nobody_without_a_key_learns_hosts_paths_processes_or_jobs(
        self, gateway: Gateway, path: str
    ) -> None:
        await busy_fleet(gateway)
        status, text = await asked(gateway, path)
        assert status == 200
        assert [word for word in (*SECRET_WORDS, "gateway-host") if word in text] == []

    async def test_an_admin_sees_hosts_and_only_its_own_jobs(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        stranger = await a_key(gateway, Scope.ADMIN, tenant="other")
        text = (await asked(gateway, "/api/v1/system/health", stranger))[1]
        assert "worker-host" in text
        assert "acme-job" not in text
        own = await a_key(gateway, Scope.JOBS_READ, tenant="acme")
        text = (await asked(gateway, "/api/v1/system/health", own))[1]
        assert "acme-job" in text
        assert "worker-host" not in text

    async def test_a_server_that_is_away_makes_it_unhealthy_but_answered(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        gateway.failing["broker"] = BrokerUnavailableError("broker-7:9092 does not answer")
        status, body = await gateway.get("/api/v1/system/health")
        assert (status, body["status"]) == (200, "unhealthy")
        assert body["error"] == "The broker does not answer"
        assert body["services"]["job_queue"] == "unavailable"
        assert body["services"]["broker"]["message"] == "broker-7:9092 does not answer"
        assert "broker-7" not in (await asked(gateway, "/api/v1/system/health"))[1]

    async def test_without_a_database_it_tells_what_it_knows_itself(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> Any:
            raise DatabaseUnavailableError("mongo-3:27017 is away")

        for store in (gateway.jobs, gateway.tasks, gateway.fleet):
            for name in ("get", "live", "offers", "backlog", "unrelayed", "ends", "annotations_total"):
                if hasattr(store, name):
                    monkeypatch.setattr(store, name, away)
        gateway.database.away = True
        status, body = await gateway.get("/api/v1/system/health")
        assert (status, body["status"], body["database"]["status"]) == (200, "unhealthy", "unhealthy")
        assert body["database"]["writable"] is False
        assert [one["service"] for one in body["fleet"]["processes"]] == ["gateway"]
        status, body = await gateway.get("/api/v1/system/metrics")
        assert (status, body["metrics"]["total_annotations"]) == (200, None)
        assert (await gateway.get("/api/v1/system/database"))[0] == 503
        async with gateway.client.get("/metrics") as answer:
            assert answer.status == 200
            assert 'frameloom_server_up{server="database"} 0.0' in await answer.text()

    async def test_a_full_disk_is_told(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        await gateway.announce("results", Service.RESULTS, facts=Facts(host=host(percent=96.0)))
        body = (await gateway.get("/api/v1/system/health"))[1]
        assert body["status"] == "degraded"
        assert body["problems"] == ["The disk of a results is 96 % full"]
        assert body["diagnostics"]["storage"]["status"] == "degraded"

    async def test_where_no_key_is_needed_everybody_sees_all(self) -> None:
        auth = AuthSettings.model_validate({"required": False, "secret": "s" * 40})
        async with Gateway(auth=auth, sampled=True).running() as gateway:
            status, text = await asked(gateway, "/api/v1/system/health")
            body = json.loads(text)
            assert (status, body["security"]["auth_required"]) == (200, False)
            (own,) = [one for one in body["fleet"]["processes"] if one["service"] == "gateway"]
            assert own["host"] == "gateway-host"
            assert body["system"]["cpu_count"] == psutil.cpu_count()
            assert body["system"]["memory"]["total"] == psutil.virtual_memory().total
            assert body["database"]["writable"] is True


class TestFigures:
    async def test_they_are_those_of_the_documents_and_the_fleet(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        for name, status in (("a", JobStatus.PENDING), ("b", JobStatus.RUNNING), ("c", JobStatus.FAILED)):
            await gateway.jobs.insert(job(gateway.clock, name, status=status, tenant=name))
        await gateway.tasks.insert_missing(
            [
                task(gateway, "1", TaskState.QUEUED),
                task(gateway, "2", TaskState.COMPLETED, 5),
                task(gateway, "3", TaskState.COMPLETED, 6),
                task(gateway, "4", TaskState.RUNNING),
            ]
        )
        other = GatewayFacts(requests_total=10, response_seconds_total=5.0, streams_open=3)
        await gateway.announce("g2", Service.GATEWAY, facts=Facts(gateway=other))
        body = (await gateway.get("/api/v1/system/metrics"))[1]
        told = body["metrics"]
        assert {name: value for name, value in told.items() if name.startswith("jobs_")} == {
            "jobs_total": 3,
            "jobs_active": 2,
            "jobs_completed": 0,
            "jobs_failed": 1,
            "jobs_cancelled": 0,
            "jobs_pending": 1,
            "jobs_running": 1,
        }
        assert told["total_annotations"] == 11
        assert told["tasks_completed"] == 2
        assert told["queue_by_pipeline"] == {"scene_detection": 1}
        assert told["api_requests_total"] == 10
        assert told["response_time_avg"] == 0.5
        assert told["pipeline_processing_time_avg"] == 2.5
        assert told["streams_open"] == 3
        again = (await gateway.get("/api/v1/system/metrics"))[1]["metrics"]
        assert again["api_requests_total"] == 11
        assert set(body["performance"]) == {"cpu_usage", "memory_usage", "disk_usage"}


class TestConfiguration:
    async def test_it_tells_what_is_set_and_never_a_secret(self) -> None:
        diagnostics = DiagnosticsSettings(status_seconds=0, environment="lab", metrics=False)
        async with Gateway(diagnostics=diagnostics).running() as gateway:
            body = (await gateway.get("/api/v1/system/config"))[1]
            assert body["environment"] == "lab"
            assert body["features"]["authentication"] is True
            assert body["features"]["rate_limiting"] is True
            assert body["features"]["debug"] is False
            assert body["features"]["metrics"] is False
            assert body["configuration"]["gateway"]["max_upload_bytes"] == 100_000
            assert body["configuration"]["gateway"]["host"] == "127.0.0.1"
            assert body["configuration"]["auth"]["expiry_days"] == 365
            text = json.dumps(body)
            auth = gateway.auth
            assert auth.secret is not None
            assert auth.initial_key is not None
            assert auth.secret.get_secret_value() not in text
            assert auth.initial_key.get_secret_value() not in text
            anonymous = json.loads((await asked(gateway, "/api/v1/system/config"))[1])["configuration"]
            assert "host" not in anonymous["gateway"]
            assert anonymous["gateway"]["max_upload_bytes"] == 100_000
            assert all(
                isinstance(value, bool | int | float)
                for settings in anonymous.values()
                for value in settings.values()
            )
            assert await gateway.get("/metrics") == (404, {"detail": "Not Found"})


class TestDatabase:
    async def test_it_tells_of_itself(self, gateway: Gateway) -> None:
        await gateway.jobs.insert(job(gateway.clock, "a"))
        body = (await gateway.get("/api/v1/system/database"))[1]
        assert body["backend_type"] == "memory"
        assert body["connection_info"]["database_url"] == "memory:0"
        assert body["statistics"]["total_jobs"] == 1
        assert body["statistics"]["total_annotations"] == 0
        assert body["schema_version"] == "1"
        assert {one["name"]: one["documents"] for one in body["collections"]} == {"jobs": 1, "tasks": 0}


class TestPrometheus:
    async def test_every_metric_is_in_the_catalogue_and_every_sample_is_true(self, gateway: Gateway) -> None:
        await busy_fleet(gateway)
        await gateway.jobs.insert(job(gateway.clock, "a", relay_due=True))
        await gateway.tasks.insert_missing([task(gateway, "1", TaskState.QUEUED)])
        await gateway.get("/api/v1/jobs/a")
        await gateway.get("/nothing")
        await gateway.post(b"x" * 1000, "/api/v1/config/validate")
        async with gateway.client.get("/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        own = {name: family for name, family in families.items() if name.startswith("frameloom_")}
        catalogue = {metric.name.removesuffix("_total"): metric for metric in metrics.CATALOGUE}
        assert set(own) == set(catalogue)
        for name, family in own.items():
            assert family.type == catalogue[name].kind
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert labels <= set(catalogue[name].labels), name

        def value(name: str, **labels: str) -> float | None:
            samples = (sample for family in own.values() for sample in family.samples)
            return next((s.value for s in samples if s.name == name and s.labels == labels), None)

        assert value("frameloom_requests_total", operation="other", status="404") == 1
        got = "get_job_status_api_v1_jobs__job_id__get"
        assert value("frameloom_requests_total", operation=got, status="200") == 1
        assert value("frameloom_request_seconds_count", operation=got) == 1
        validated = "validate_config_api_v1_config_validate_post"
        assert value("frameloom_request_body_bytes_total", operation=validated) == 1000
        assert value("frameloom_requests_in_progress") == 1
        assert value("frameloom_slots", state="busy") == 1
        assert value("frameloom_processes", service="scheduler", state="healthy") == 1
        assert value("frameloom_queue_tasks", pipeline="scene_detection") == 1
        assert value("frameloom_queue_tasks", pipeline="face_analysis") == 0
        assert value("frameloom_jobs", status="pending") == 1
        assert value("frameloom_jobs_unrelayed") == 1
        assert value("frameloom_warm_models", model="yunet") == 2
        assert value("frameloom_gpu_memory_used_bytes", worker="worker", gpu="0") == 30
        assert value("frameloom_task_seconds_mean", pipeline="scene_detection") == 2.5
        assert value("frameloom_scheduler_sweep_age_seconds") == 0
        assert "process_resident_memory_bytes" in families

    async def test_paths_that_clients_invent_make_no_series(self, gateway: Gateway) -> None:
        for number in range(20):
            await gateway.get(f"/invented/{number}")
            await gateway.get(f"/api/v1/jobs/{number}")
        async with gateway.client.get("/metrics") as answer:
            text = await answer.text()
        assert text.count("frameloom_requests_total{") == 2
        assert "invented" not in text
