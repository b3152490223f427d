"""A long video in segments: two workers, one result, the same as of one run over the whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from frameloom.common.documents import JobStatus, Outcome, TaskState
from support.deployment import SERVICES, Deployment
from support.gate import Gate
from support.grounds import Ground

SECONDS = 62
_COLOURS = ((200, 30, 30), (120, 240, 160), (40, 40, 110), (128, 128, 128))


def scenes(path: Path, seconds: int = SECONDS) -> Path:
    """Scenes of seven seconds, ten frames and one key frame a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 120, "yuv420p", 10
        for number in range(seconds * 10):
            picture = np.full((120, 160, 3), _COLOURS[number // 70 % len(_COLOURS)], np.uint8)
            picture[:, number % 160] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
async def two_workers(ground: Ground, tmp_path: Path) -> AsyncIterator[Deployment]:
    """Segments as short as the overlap of ten seconds allows."""
    limits = {
        "FRAMELOOM_SCHEDULER_SEGMENT_SECONDS": "20.7",
        "FRAMELOOM_SCHEDULER_SEGMENT_ABOVE_SECONDS": "30",
    }
    made = Deployment(ground, tmp_path, limits)
    try:
        await made.start(*SERVICES, "worker-2")
        await made.ready()
        yield made
    finally:
        await made.close()


async def rows(deployment: Deployment, job_id: str, pipeline: str) -> dict[str, Any]:
    """The file of a pipeline, without where it comes from."""
    url = f"{deployment.base_url}/api/v1/jobs/{job_id}/results/files/{pipeline}"
    async with deployment.http.get(url) as answer:
        assert answer.status == 200
        document = json.loads(await answer.read())
    del document["info"]["provenance"]
    return dict(document)


async def test_the_result_is_that_of_the_whole(two_workers: Deployment, tmp_path: Path) -> None:
    video = scenes(tmp_path / "long.mp4")
    whole = await two_workers.submit(video, "scene_detection", json.dumps({"segments": False}))
    parts = await two_workers.submit(video, "scene_detection")
    for job_id in (whole, parts):
        assert (await two_workers.ended(job_id))["status"] == "completed"
    expected, found = [await rows(two_workers, job_id, "scene_detection") for job_id in (whole, parts)]
    assert found == expected
    assert len(found["scenes"]) == 9

    job, tasks = await two_workers.documents(parts)
    assert len(tasks) == 1 + 3
    assert {task.state for task in tasks} == {TaskState.COMPLETED}
    assert [summary.pipeline for summary in job.tasks] == ["scene_detection"]
    kinds = [event.type for event in job.events]
    assert (kinds.count("segment.completed"), kinds.count("task.completed")) == (3, 1)
    assert kinds[-1] == "job.completed"
    results = (await two_workers.get(f"/api/v1/jobs/{parts}/results"))["pipeline_results"]
    assert list(results) == ["scene_detection"]
    assert results["scene_detection"]["annotation_count"] == 9
    _, (one,) = await two_workers.documents(whole)
    assert not one.waits_for
    async with asyncio.timeout(30):
        while await two_workers.keys(f"chunks/{parts}/"):
            await asyncio.sleep(0.1)


async def test_a_killed_worker_costs_its_segment_only(deployment: Deployment, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    await deployment.start(*SERVICES, "worker-2")
    await deployment.ready()
    job_id = await deployment.submit(scenes(tmp_path / "six.mp4", 6), "in_segments", gate.config)
    await gate.somebody_waits(besides=1)
    async with asyncio.timeout(30):
        # The scheduler folds what the workers have claimed into the job.
        while await _status_of(deployment, job_id) == "pending":
            await asyncio.sleep(0.1)
    assert await _status_of(deployment, job_id) == "running"
    await deployment.kill("worker-2")
    gate.open()
    assert (await deployment.ended(job_id))["status"] == "completed"
    job, tasks = await deployment.documents(job_id)
    assert job.status is JobStatus.COMPLETED
    lost = [task for task in tasks if any(a.outcome is Outcome.FAILED for a in task.attempts)]
    assert [len(task.attempts) for task in lost] == [2]
    assert lost[0].segment is not None
    whole = next(task for task in tasks if task.waits_for)
    assert whole.result is not None
    url = f"{deployment.base_url}/api/v1/jobs/{job_id}/results/files/in_segments"
    async with deployment.http.get(url) as answer:
        found = json.loads(await answer.read())["annotations"]
    assert [row["frame_number"] for row in found] == list(range(60))


async def _status_of(deployment: Deployment, job_id: str) -> str:
    listed = (await deployment.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    return str(listed["in_segments"]["status"])


async def test_cancelling_reaches_every_segment(deployment: Deployment, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(scenes(tmp_path / "six.mp4", 6), "in_segments", gate.config)
    await gate.somebody_waits()
    await deployment.cancel(job_id)
    async with asyncio.timeout(30):
        while True:
            job, tasks = await deployment.documents(job_id)
            if all(task.state is TaskState.CANCELLED for task in tasks):
                break
            await asyncio.sleep(0.1)
    assert job.status is JobStatus.CANCELLED
    assert len(tasks) == 4
