"""The fleet as the gateway tells it, while it works and while a part of it dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.deployment import Deployment
from support.media import clip

LIVE_WITHIN_SECONDS = 4.0
SERVICES = ("gateway", "scheduler", "results", "worker", "worker-2")


@pytest.fixture
async def fleet(deployment: Deployment) -> Deployment:
    """An installation with two workers of two slots each, which tells a lot of itself."""
    deployment.environment |= {
        "FRAMELOOM_GATEWAY_DEBUG": "true",
        "FRAMELOOM_GATEWAY_STATUS_SECONDS": "0.2",
        "FRAMELOOM_WORKER_SLOTS": "2",
        "FRAMELOOM_FLEET_ANNOUNCE_EVERY_SECONDS": "1",
        "FRAMELOOM_FLEET_LIVE_WITHIN_SECONDS": str(LIVE_WITHIN_SECONDS),
    }
    await deployment.start(*SERVICES)
    await deployment.ready()
    return deployment


async def told(
    deployment: Deployment, path: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 30.0
) -> dict[str, Any]:
    """The answer once it says what is waited for."""
    last: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            while not holds(last := await deployment.get(path)):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"never told at {path}: {json.dumps(last, indent=1)[:6000]}")
    return last


def workers(health: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in health["fleet"]["processes"] if one["service"] == "worker"]


async def anonymous(deployment: Deployment, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(deployment.base_url + path) as answer:
        return answer.status, await answer.text()


async def metric(deployment: Deployment, name: str, **labels: str) -> float | None:
    _, text = await anonymous(deployment, "/metrics")
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.1)


async def test_the_fleet_is_told_as_it_is(fleet: Deployment, tmp_path: Path) -> None:
    health = await told(
        fleet,
        "/api/v1/system/health",
        lambda answer: len(workers(answer)) == 2 and answer["database"]["writable"],
    )
    assert health["status"] == "healthy", health["problems"]
    assert health["workers"]["max_concurrent_workers"] == 4
    assert health["worker_info"]["worker_status"] == "idle"
    assert health["diagnostics"]["ffmpeg"]["available"] is True
    assert {one["pid"] for one in health["fleet"]["processes"]} == {fleet.pid(name) for name in SERVICES}
    for one in workers(health):
        assert one["libraries"]["av"]
        assert one["rss_bytes"] > 1_000_000
        assert [slot["state"] for slot in one["worker"]["slots"]] == ["idle", "idle"]
        assert all(slot["rss_bytes"] > 1_000_000 for slot in one["worker"]["slots"])
    (scheduler,) = [one for one in health["fleet"]["processes"] if one["service"] == "scheduler"]
    assert scheduler["scheduler"]["sweeps_total"] >= 1

    gate = tmp_path / "gate"
    video = clip(tmp_path / "tiny.mp4")
    job_id = await fleet.submit(video, "gated", json.dumps({"gated": {"gate": str(gate)}}))
    background = await told(
        fleet,
        "/api/v1/debug/background-jobs",
        lambda answer: answer["background_processing"]["processing_jobs"] == [job_id],
    )
    assert background["background_processing"]["concurrent_jobs"] == 1
    (holder,) = [one for one in background["workers"] if one["worker"]["slots_busy"]]
    (slot,) = [one for one in holder["worker"]["slots"] if one["state"] == "busy"]
    assert (slot["pipeline"], slot["job_id"]) == ("gated", job_id)
    health = await told(fleet, "/api/v1/system/health", lambda answer: answer["workers"]["busy_slots"] == 1)
    assert health["workers"]["processing_jobs"] == [job_id]
    assert health["worker_info"]["worker_status"] == "busy"
    await eventually(lambda: running_by_metric(fleet))

    status, text = await anonymous(fleet, "/api/v1/system/health")
    assert status == 200
    assert job_id not in text
    assert str(holder["pid"]) not in text
    assert holder["host"] not in text
    assert json.loads(text)["workers"]["active_jobs"] == 1

    job = await told(
        fleet,
        f"/api/v1/debug/jobs/{job_id}",
        lambda answer: answer["job"]["debug_info"]["resource_usage"]["memory_mb"] is not None,
    )
    facts = job["job"]["debug_info"]
    assert facts["current_pipeline"] == "gated"
    assert facts["queue_wait_time_ms"] >= 0
    assert [attempt["worker"] for attempt in job["job"]["tasks"][0]["attempts"]] == [holder["id"]]

    victim = next(name for name in ("worker", "worker-2") if fleet.pid(name) == holder["pid"])
    await fleet.kill(victim)
    health = await told(
        fleet,
        "/api/v1/system/health",
        lambda answer: holder["id"] not in {one["id"] for one in workers(answer)},
        seconds=LIVE_WITHIN_SECONDS + 20,
    )
    assert health["workers"]["max_concurrent_workers"] == 2
    (survivor,) = workers(health)
    await told(
        fleet,
        f"/api/v1/debug/jobs/{job_id}",
        lambda answer: (
            [one["worker"] for one in answer["job"]["tasks"][0]["attempts"]] == [holder["id"], survivor["id"]]
        ),
    )

    gate.touch()
    assert (await fleet.ended(job_id))["status"] == "completed"
    job = await fleet.get(f"/api/v1/debug/jobs/{job_id}")
    lost, done = job["job"]["tasks"][0]["attempts"]
    assert (lost["outcome"], lost["category"], done["outcome"]) == ("failed", "worker_lost", "completed")
    assert job["job"]["retry_count"] == 1
    assert job["job"]["debug_info"]["progress_percentage"] == 100.0
    assert job["job"]["pipeline_logs"][-1]["type"] == "job.completed"
    health = await told(
        fleet, "/api/v1/system/health", lambda answer: "gated" in workers(answer)[0]["worker"]["tasks"]
    )
    (survivor,) = workers(health)
    assert survivor["worker"]["tasks"]["gated"]["completed"] == 1
    assert any("gated" in slot["warm_pipelines"] for slot in survivor["worker"]["slots"])
    assert health["workers"]["active_jobs"] == 0


async def running_by_metric(deployment: Deployment) -> bool:
    return await metric(deployment, "frameloom_tasks", pipeline="gated", state="running") == 1


async def test_figures_and_debug_answers_follow_what_was_done(fleet: Deployment, tmp_path: Path) -> None:
    video = clip(tmp_path / "tiny.mp4")
    job_id = await fleet.submit(video, "gated")
    await fleet.ended(job_id)
    figures = await told(
        fleet, "/api/v1/system/metrics", lambda answer: answer["metrics"]["jobs_completed"] == 1
    )
    assert figures["metrics"]["jobs_total"] == 1
    assert figures["metrics"]["api_requests_total"] >= 2
    assert figures["metrics"]["response_time_avg"] > 0
    assert figures["performance"]["memory_usage"] > 0
    await told(
        fleet,
        "/api/v1/system/metrics",
        lambda answer: answer["metrics"]["pipeline_processing_time_avg_by_pipeline"].get("gated", 0) > 0,
    )
    posted = "submit_job_api_v1_jobs__post"
    assert await metric(fleet, "frameloom_requests_total", operation=posted, status="201") == 1
    received = await metric(fleet, "frameloom_request_body_bytes_total", operation=posted)
    assert received is not None
    assert received >= video.stat().st_size

    database = await fleet.get("/api/v1/system/database")
    assert database["backend_type"] == "mongodb"
    held = {one["name"]: one for one in database["collections"]}
    assert held["jobs"]["documents"] == 1
    assert "status, created_at" in held["jobs"]["indexes"]
    assert database["open_connections"] >= 1
    assert database["connection_info"]["database_url"] in fleet.environment["FRAMELOOM_MONGO_URI"]

    config = await fleet.get("/api/v1/system/config")
    assert config["features"]["debug"] is True
    assert config["configuration"]["diagnostics"]["status_seconds"] == 0.2
    text = json.dumps(config)
    assert fleet.api_key not in text
    assert fleet.environment["FRAMELOOM_AUTH_SECRET"] not in text

    log = await fleet.get("/api/v1/debug/request-log?limit=100")
    assert ("POST", "/api/v1/jobs/", 201) in {
        (one["method"], one["path"], one["status_code"]) for one in log["requests"]
    }
    server = await fleet.get("/api/v1/debug/server-info")
    assert server["server"]["pid"] == fleet.pid("gateway")
    assert server["request_stats"]["total_requests"] > 2
    token = await fleet.get("/api/v1/debug/token-info")
    assert "admin" in token["token"]["permissions"]
    pipelines = {one["name"]: one for one in (await fleet.get("/api/v1/debug/pipelines"))["pipelines"]}
    assert len(pipelines["gated"]["workers"]) == 2
    assert pipelines["gated"]["status"] == "ready"
    models = {one["name"]: one["model"]["sha256"] for one in pipelines["face_analysis"]["components"]}
    assert all(len(digest) == 64 for digest in models.values())
    assert set(models) == {"yunet", "sface"}
