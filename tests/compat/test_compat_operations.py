"""The 25 operations of the VideoAnnotator 1.3.0 document, each answered by a real deployment.

Every answer is held against the reference document's schema and against our own. The reference lies beside
the checkout; where it does not, only our own document is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.contract import REFERENCE, Contract
from support.deployment import SERVICES, Deployment, form
from support.grounds import Grounds

JSON = dict[str, Any]
OURS = {"/api/v1/jobs/{job_id}/artifacts"}


@dataclass
class World:
    """A deployment with jobs in every state, and the documents that its answers are held against."""

    deployment: Deployment
    ours: Contract
    reference: Contract | None
    video: Path
    done: str
    cancelled: str

    async def ask(self, method: str, template: str, *, status: int, **options: Any) -> Any:
        """Sends a request whose answer must have this status and fit both documents; answers its body."""
        values = options.pop("values", {})
        path = template.format(**values) if values else template
        async with self.deployment.http.request(
            method, self.deployment.base_url + path, allow_redirects=False, **options
        ) as answer:
            text = await answer.text(errors="replace")
            assert answer.status == status, (method, path, answer.status, text[:2000])
            body = await answer.json() if answer.content_type == "application/json" else text
        assert status in self.ours.statuses(method, template), f"{method} {template}: {status} not documented"
        if answer.content_type == "application/json":
            assert self.ours.problems(method, template, status, body) == []
            if self.reference is not None and template not in OURS:
                assert self.reference.problems(method, template, status, body) == []
        return body


@pytest.fixture(scope="module")
async def world(
    all_grounds: Grounds, tmp_path_factory: pytest.TempPathFactory, video: Path
) -> AsyncIterator[World]:
    ground = await all_grounds.get("embedded")
    deployment = Deployment(ground, tmp_path_factory.mktemp("compat"), {"FRAMELOOM_GATEWAY_DEBUG": "true"})
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        done = await deployment.submit(video, "scene_detection")
        await deployment.ended(done)
        cancelled = await deployment.submit(video, "scene_detection")
        async with deployment.http.post(f"{deployment.base_url}/api/v1/jobs/{cancelled}/cancel") as answer:
            assert answer.status in {200, 409}
        ours = Contract(await deployment.get("/openapi.json"))
        reference = Contract.of_file(REFERENCE) if REFERENCE.exists() else None
        yield World(deployment, ours, reference, video, done, cancelled)
    finally:
        await deployment.close()


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference document is not beside this checkout")
async def test_every_operation_of_the_reference_is_here(world: World) -> None:
    assert world.reference is not None
    ours = world.ours.operations()
    for name, (method, path) in world.reference.operations().items():
        assert ours.get(name) == (method, path), name
        assert world.ours.statuses(method, path) >= world.reference.statuses(method, path), name


async def test_health(world: World) -> None:
    assert (await world.ask("GET", "/api/v1/health", status=200))["status"] == "ok"
    detailed = await world.ask("GET", "/api/v1/health", status=200, params={"detailed": "true"})
    assert {"database", "storage", "gpu", "registry"} <= set(detailed["details"])
    await world.ask("GET", "/api/v1/health", status=422, params={"detailed": "perhaps"})
    short = await world.ask("GET", "/health", status=200)
    assert set(short) >= {
        "status",
        "api_version",
        "videoannotator_version",
        "message",
        "logging",
        "memory_percent",
        "database",
    }
    assert short["status"] == "healthy"


async def test_a_job_from_its_submission_to_its_end(world: World) -> None:
    data = form(world.video, "scene_detection", '{"scene_detection": {"threshold": 25}}', None)
    job = await world.ask("POST", "/api/v1/jobs/", status=201, data=data)
    assert job["status"] == "pending"
    assert job["video_filename"] == world.video.name
    assert job["config"] == {"scene_detection": {"threshold": 25}}
    assert "queue_position" in job
    values = {"job_id": job["id"]}
    await world.deployment.ended(job["id"])
    after = await world.ask("GET", "/api/v1/jobs/{job_id}", status=200, values=values)
    assert after["status"] == "completed"
    assert after["queue_position"] is None
    results = await world.ask("GET", "/api/v1/jobs/{job_id}/results", status=200, values=values)
    one = results["pipeline_results"]["scene_detection"]
    assert one["status"] == "completed"
    assert one["processing_time"] > 0
    assert one["output_file"] == f"{world.video.stem}_scene_detection.json"
    async with world.deployment.http.get(world.deployment.base_url + one["download_url"]) as answer:
        assert answer.status == 200
        assert (await answer.json(content_type=None))["annotations"]
    again = await world.ask("POST", "/api/v1/jobs/{job_id}/cancel", status=409, values=values)
    assert again["error"]["code"] == "JOB_ALREADY_COMPLETED"
    assert again["error"]["detail"] == {"job_id": job["id"], "status": "completed"}
    await world.ask("DELETE", "/api/v1/jobs/{job_id}", status=204, values=values)
    gone = await world.ask("GET", "/api/v1/jobs/{job_id}", status=404, values=values)
    assert gone["error"]["code"] == "JOB_NOT_FOUND"


async def test_the_list(world: World) -> None:
    page = await world.ask("GET", "/api/v1/jobs/", status=200, params={"page": 1, "per_page": 1})
    assert page["total"] >= 2
    assert len(page["jobs"]) == 1
    none = await world.ask("GET", "/api/v1/jobs/", status=200, params={"status_filter": "no-such-status"})
    assert none["jobs"] == []
    for parameters in ({"page": 0}, {"per_page": -5}, {"per_page": 10**6}, {"page": "x"}):
        await world.ask("GET", "/api/v1/jobs/", status=422, params=parameters)


async def test_a_cancelled_job_answers_the_same_again(world: World) -> None:
    data = form(world.video, "scene_detection", None, None)
    values = {"job_id": (await world.ask("POST", "/api/v1/jobs/", status=201, data=data))["id"]}
    first = await world.ask("POST", "/api/v1/jobs/{job_id}/cancel", status=200, values=values)
    assert first["status"] == "cancelled"
    assert first["error_message"] == "Job cancelled by user request"
    assert first["completed_at"]
    second = await world.ask("POST", "/api/v1/jobs/{job_id}/cancel", status=200, values=values)
    assert second == first


async def test_artifacts(world: World) -> None:
    url = f"{world.deployment.base_url}/api/v1/jobs/{world.done}/artifacts"
    async with world.deployment.http.get(url) as answer:
        body = await answer.read()
        assert answer.status == 200
        assert answer.content_length == len(body)
        assert f"job_{world.done}_artifacts.zip" in answer.headers["Content-Disposition"]
    assert body[:2] == b"PK"


@pytest.mark.parametrize(
    ("method", "template"),
    [
        ("GET", "/api/v1/jobs/{job_id}"),
        ("DELETE", "/api/v1/jobs/{job_id}"),
        ("POST", "/api/v1/jobs/{job_id}/cancel"),
        ("GET", "/api/v1/jobs/{job_id}/results"),
        ("GET", "/api/v1/jobs/{job_id}/artifacts"),
        ("GET", "/api/v1/jobs/{job_id}/results/files/{pipeline_name}"),
        ("GET", "/api/v1/debug/jobs/{job_id}"),
    ],
)
async def test_an_unknown_job(world: World, method: str, template: str) -> None:
    values = {"job_id": "no such job", "pipeline_name": "scene_detection"}
    body = await world.ask(method, template, status=404, values=values)
    assert body["error"]["code"] == "JOB_NOT_FOUND"
    assert body["error"]["message"] == "Job no such job not found"
    assert body["error"]["detail"] == {"job_id": "no such job"}
    assert body["error"]["hint"]
    assert body["error"]["timestamp"].endswith(("Z", "+00:00"))
    assert body["detail"] == body["error"]["message"]


async def test_a_pipeline_without_a_file(world: World) -> None:
    template = "/api/v1/jobs/{job_id}/results/files/{pipeline_name}"
    values = {"job_id": world.done, "pipeline_name": "face_analysis"}
    body = await world.ask("GET", template, status=400, values=values)
    assert body["error"]["code"] == "INVALID_REQUEST"


async def test_submissions_that_are_refused(world: World) -> None:
    data = form(world.video, "scene_detection", "{no json", None)
    body = await world.ask("POST", "/api/v1/jobs/", status=400, data=data)
    assert (body["error"]["code"], body["detail"]) == ("INVALID_REQUEST", "Invalid JSON configuration")
    for config in ("[1]", "3", '"text"'):
        data = form(world.video, "scene_detection", config, None)
        await world.ask("POST", "/api/v1/jobs/", status=400, data=data)
    data = form(world.video, "scene_detection", '{"scene_detection": {"threshold": 1000}}', None)
    body = await world.ask("POST", "/api/v1/jobs/", status=400, data=data)
    assert body["error"]["code"] == "INVALID_CONFIG"
    assert body["detail"].startswith("Configuration validation failed: scene_detection: ")
    data = aiohttp.FormData(default_to_multipart=True)
    data.add_field("selected_pipelines", "scene_detection")
    body = await world.ask("POST", "/api/v1/jobs/", status=422, data=data)
    assert body["detail"][0]["loc"] == ["body", "video"]
    assert {"type", "loc", "msg", "input"} <= set(body["detail"][0])


async def test_pipelines(world: World) -> None:
    listed = await world.ask("GET", "/api/v1/pipelines/", status=200)
    names = {one["name"] for one in listed["pipelines"]}
    assert listed["total"] == len(listed["pipelines"])
    nine = {
        "person_tracking",
        "face_analysis",
        "face_laion_clip",
        "face_openface3_embedding",
        "scene_detection",
        "audio_processing",
        "speech_recognition",
        "speaker_diarization",
        "laion_voice",
    }
    assert names >= nine
    template = "/api/v1/pipelines/{pipeline_name}"
    for name in nine:
        await world.ask("GET", template, status=200, values={"pipeline_name": name})
    body = await world.ask("GET", template, status=404, values={"pipeline_name": "nothing"})
    assert body["error"]["code"] == "PIPELINE_NOT_FOUND"


async def test_validation(world: World) -> None:
    template = "/api/v1/pipelines/{pipeline_name}/validate"
    for name in ("scene_detection", "laion_voice", "speech_recognition"):
        body = await world.ask(
            "POST", template, status=200, values={"pipeline_name": name}, json={"config": {}}
        )
        assert body["valid"] is True, name
    values = {"pipeline_name": "scene_detection"}
    body = await world.ask("POST", template, status=200, values=values, json={"config": {"threshold": 101}})
    assert body["valid"] is False
    assert body["errors"][0]["code"] == "VALUE_OUT_OF_RANGE"
    assert {"field", "message", "code", "hint"} <= set(body["errors"][0])
    body = await world.ask("POST", template, status=200, values=values, json={"config": {"treshold": 1}})
    assert body["valid"] is True
    assert {"field", "message", "suggestion"} <= set(body["warnings"][0])
    await world.ask("POST", template, status=422, values=values, json={"config": "text"})
    unknown = {"pipeline_name": "nothing"}
    body = await world.ask("POST", template, status=404, values=unknown, json={"config": {}})
    assert body["error"]["code"] == "PIPELINE_NOT_FOUND"
    whole = {"config": {"scene_detection": {"threshold": "x"}}, "selected_pipelines": ["scene_detection"]}
    body = await world.ask("POST", "/api/v1/config/validate", status=200, json=whole)
    assert body["errors"][0]["code"] == "INVALID_TYPE"
    assert body["errors"][0]["pipeline"] == "scene_detection"
    body = await world.ask("POST", "/api/v1/config/validate", status=200, json={"config": {}})
    assert body["valid"] is True


SYSTEM = {
    "/api/v1/system/health": {
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
        "gpu_status",
        "worker_info",
    },
    "/api/v1/system/metrics": set(),
    "/api/v1/system/config": set(),
    "/api/v1/system/database": {"backend_type", "connection_info", "statistics", "schema_version"},
    "/api/v1/debug/server-info": set(),
    "/api/v1/debug/token-info": set(),
    "/api/v1/debug/pipelines": set(),
    "/api/v1/debug/request-log": set(),
    "/api/v1/debug/background-jobs": {"background_processing"},
}


@pytest.mark.parametrize("path", SYSTEM)
async def test_system_and_debug(world: World, path: str) -> None:
    body = await world.ask("GET", path, status=200)
    assert set(body) >= SYSTEM[path]
    assert body


async def test_debug_job(world: World) -> None:
    values = {"job_id": world.done}
    body = await world.ask("GET", "/api/v1/debug/jobs/{job_id}", status=200, values=values)
    assert body["job"]["id"] == world.done
    assert body["job"]["debug_info"]["processing_time_ms"] > 0


async def test_the_request_log_has_bounds(world: World) -> None:
    for limit in (0, 101, "x"):
        await world.ask("GET", "/api/v1/debug/request-log", status=422, params={"limit": limit})


@pytest.mark.parametrize("path", ["/api/v1/events/stream", "/api/v1/debug/mock-events"])
async def test_streams_begin(world: World, path: str) -> None:
    async with world.deployment.http.get(world.deployment.base_url + path) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        seen = await answer.content.readuntil(b"\n\n")
        while b"data:" not in seen:
            seen = await answer.content.readuntil(b"\n\n")
    assert 200 in world.ours.statuses("GET", path)
