"""A real clip from POST to artefact, over all services."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from frameloom.worker.models.store import ModelStore
from support.deployment import Deployment

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def actress() -> Path:
    """Twenty seconds of one actress."""
    return ModelStore().path("wolfgang")


async def events_of(deployment: Deployment, job_id: str, last: str | None = None) -> list[dict[str, Any]]:
    """The job's whole feed, read until its end."""
    found: list[dict[str, Any]] = []
    headers = {"Last-Event-ID": last} if last else {}
    url = f"{deployment.base_url}/api/v1/events/stream?job_id={job_id}&close_on_end=true&format=events"
    async with asyncio.timeout(60), deployment.http.get(url, headers=headers) as answer:
        event: dict[str, Any] = {}
        async for raw in answer.content:
            line = raw.decode().rstrip("\r\n")
            if not line:
                if "data" in event:
                    found.append(event)
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = json.loads(value) if name == "data" else value
    return found


async def test_from_post_to_artefact(shared: Deployment, actress: Path) -> None:
    job_id = await shared.submit(actress, "scene_detection,face_analysis")
    feed = await events_of(shared, job_id)
    job = await shared.ended(job_id)
    assert job["status"] == "completed"
    assert job["video_duration_seconds"] == 20

    kept = [event for event in feed if "id" in event]
    assert [event["id"] for event in kept] == [f"{job_id}:{n}" for n in range(1, len(kept) + 1)]
    kinds = [event["event"] for event in kept]
    assert kinds[:2] == ["job.submitted", "job.started"]
    assert sorted(kinds[2:-1]) == ["task.completed"] * 2 + ["task.started"] * 2
    assert kinds[-1] == "job.completed"
    assert any(event["event"] == "task.progress" for event in feed)

    again = await events_of(shared, job_id, last=kept[2]["id"])
    assert [event["data"] for event in again if "id" in event] == [event["data"] for event in kept[3:]]

    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    faces = await artefact(shared, results["face_analysis"])
    assert results["face_analysis"]["annotation_count"] == len(faces["annotations"]) > 60
    assert {row["category_id"] for row in faces["annotations"]} == {100}
    assert len({row["face_id"] for row in faces["annotations"]}) == 1
    assert list(faces).index("annotations") < list(faces).index("images")
    assert faces["info"]["provenance"]["input_sha256"] == hashlib.sha256(actress.read_bytes()).hexdigest()
    assert all(len(digest) == 64 for digest in faces["info"]["provenance"]["models"].values())

    scenes = await artefact(shared, results["scene_detection"])
    assert scenes["scenes"] == scenes["annotations"]
    assert scenes["scenes"][0]["start_time"] == 0.0
    assert scenes["scenes"][-1]["end_time"] == pytest.approx(19.7, abs=0.1)


async def artefact(deployment: Deployment, result: dict[str, Any]) -> dict[str, Any]:
    """A result's file, checked against what the API says of it."""
    (file,) = result["files"]
    async with deployment.http.get(deployment.base_url + result["download_url"]) as answer:
        body = await answer.read()
        assert answer.status == 200
        assert answer.headers["ETag"].strip('"') == file["sha256"]
    assert hashlib.sha256(body).hexdigest() == file["sha256"]
    assert len(body) == file["size_bytes"]
    async with deployment.http.get(
        deployment.base_url + result["download_url"], headers={"Range": "bytes=10-19"}
    ) as answer:
        assert (answer.status, await answer.read()) == (206, body[10:20])
    async with deployment.http.get(
        deployment.base_url + result["download_url"], headers={"If-None-Match": f'"{file["sha256"]}"'}
    ) as answer:
        assert answer.status == 304
    return dict(json.loads(body))


async def test_jobs_of_one_burst_all_end(shared: Deployment, video: Path) -> None:
    jobs = await asyncio.gather(*(shared.submit(video, "scene_detection") for _ in range(12)))
    for job_id in jobs:
        assert (await shared.ended(job_id))["status"] == "completed"
    listed = await shared.get("/api/v1/jobs/?per_page=1000")
    ids = [job["id"] for job in listed["jobs"]]
    assert set(jobs) <= set(ids)
    assert len(ids) == len(set(ids)) == listed["total"]


async def test_partial_success_is_told(shared: Deployment, video: Path) -> None:
    job_id = await shared.submit(video, "scene_detection,crashing")
    job = await shared.ended(job_id)
    assert job["status"] == "completed"
    assert job["error_message"] == "Completed with errors. Failed pipelines: crashing"
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    assert results["scene_detection"]["status"] == "completed"
    assert results["crashing"]["status"] == "failed"
    assert results["crashing"]["error_category"] == "worker_crash"


async def test_many_chunks_make_one_file(shared: Deployment, video: Path) -> None:
    """More rows than a message holds: chunks are cut, kept in order, and put together again."""
    config = json.dumps({"gated": {"rows_per_frame": 4000}})
    job_id = await shared.submit(video, "gated", config)
    assert (await shared.ended(job_id))["status"] == "completed"
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    rows = (await artefact(shared, results["gated"]))["annotations"]
    assert [(row["frame_number"], row["row"]) for row in rows] == [
        (f, r) for f in range(10) for r in range(4000)
    ]


async def test_the_pipelines_of_a_job_share_a_slot(shared: Deployment, video: Path, tmp_path: Path) -> None:
    """While one waits at its gate, the other is in the same slot; each has its own result in the end."""
    gate = tmp_path / "gate"
    config = json.dumps({"gated": {"gate": str(gate)}})
    job_id = await shared.submit(video, "gated,scene_detection", config)
    try:
        async with asyncio.timeout(60):
            while not (slots := await _slots_of(shared, job_id)):
                await asyncio.sleep(0.1)  # the fleet is told of by announcements, which nothing waits for
    finally:
        gate.touch()
    assert [{slot["pipeline"], *slot["beside"]} for slot in slots] == [{"gated", "scene_detection"}]
    job = await shared.ended(job_id)
    assert (job["status"], job["error_message"]) == ("completed", None)
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    assert results["gated"]["annotation_count"] == 10
    assert results["scene_detection"]["annotation_count"] == 1, "the clip is shorter than two scenes may be"


async def _slots_of(deployment: Deployment, job_id: str) -> list[dict[str, Any]]:
    health = await deployment.get("/api/v1/system/health")
    workers = [one["worker"] for one in health["fleet"]["processes"] if one["service"] == "worker"]
    return [slot for worker in workers for slot in worker["slots"] if slot.get("job_id") == job_id]
