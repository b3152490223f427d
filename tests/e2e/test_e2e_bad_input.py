"""Bad input gets a clear answer, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.deployment import Deployment, form
from support.media import clip, truncated


async def post(deployment: Deployment, data: aiohttp.FormData) -> tuple[int, dict[str, Any]]:
    async with deployment.http.post(f"{deployment.base_url}/api/v1/jobs/", data=data) as answer:
        return answer.status, await answer.json()


async def stored(deployment: Deployment) -> set[str]:
    """The media and results in the bucket. Chunks of other tests' jobs go away in their own time."""
    return {key for key in await deployment.keys() if not key.startswith("chunks/")}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", 400, "empty"),
        (b"This is a letter, not a video.\n" * 40, 415, "no video"),
        (b"%PDF-1.7\n" + b"0" * 4000, 415, "no video"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", 415, "playlist"),
    ],
)
async def test_what_is_no_video_is_refused(
    shared: Deployment, tmp_path: Path, content: bytes, status: int, told: str
) -> None:
    before = await stored(shared)
    answered, body = await post(
        shared, form(written(tmp_path / "holiday.mp4", content), "scene_detection", None, None)
    )
    assert answered == status, body
    assert told in body["error"]["message"]
    assert body["detail"] == body["error"]["message"]
    assert await stored(shared) <= before


@pytest.mark.parametrize(
    ("pipelines", "config", "code"),
    [
        ("no_such_pipeline", None, "PIPELINE_NOT_FOUND"),
        ("scene_detection", "[1, 2]", "INVALID_REQUEST"),
        ("scene_detection", '"text"', "INVALID_REQUEST"),
        ("scene_detection", "{broken", "INVALID_REQUEST"),
        ("scene_detection", json.dumps({"scene_detection": {"threshold": 1000}}), "INVALID_CONFIG"),
        ("scene_detection", json.dumps({"scene_detection": {"threshold": "high"}}), "INVALID_CONFIG"),
    ],
)
async def test_what_can_not_be_run_is_refused(
    shared: Deployment, video: Path, pipelines: str, config: str | None, code: str
) -> None:
    before = await stored(shared)
    status, body = await post(shared, form(video, pipelines, config, None))
    assert (status, body["error"]["code"]) == (400, code), body
    assert await stored(shared) <= before


async def test_a_truncated_video_is_refused(shared: Deployment, video: Path, tmp_path: Path) -> None:
    before = await stored(shared)
    status, body = await post(
        shared, form(truncated(tmp_path / "cut.mp4", video), "scene_detection,face_analysis", None, None)
    )
    assert (status, body["error"]["code"]) == (400, "MEDIA_DAMAGED"), body
    assert "cut off" in body["error"]["message"]
    assert await stored(shared) <= before


async def test_media_that_only_a_worker_finds_wanting_fail_and_are_removed(
    shared: Deployment, tmp_path: Path
) -> None:
    """Its index and its first picture are there: only who reads on finds it cut off."""
    whole = clip(tmp_path / "whole.mp4", seconds=4, index_first=True)
    job_id = await shared.submit(truncated(tmp_path / "cut.mp4", whole, 0.6), "scene_detection,face_analysis")
    job = await shared.ended(job_id)
    assert job["status"] == "failed"
    assert "cut off" in job["error_message"] or "damaged" in job["error_message"], job["error_message"]
    _, tasks = await shared.documents(job_id)
    assert {task.failure.category.value for task in tasks if task.failure} <= {"parse_error", "decode_error"}
    assert all(len(task.attempts) == 1 for task in tasks)
    async with asyncio.timeout(30):
        while [key for key in await shared.keys() if job_id in key]:
            await asyncio.sleep(0.1)


async def test_a_path_in_the_file_name_is_only_a_name(shared: Deployment, video: Path) -> None:
    job_id = await shared.submit(video, "scene_detection", filename="../../../x.mp4")
    job = await shared.ended(job_id)
    assert (job["status"], job["video_filename"]) == ("completed", "x.mp4")
    keys = [key for key in await shared.keys() if job_id in key]
    assert all(".." not in key and key.split("/")[1] == job_id for key in keys)
    results = await shared.get(f"/api/v1/jobs/{job_id}/results")
    (file,) = results["pipeline_results"]["scene_detection"]["files"]
    assert file["filename"] == "x_scene_detection.json"


async def test_a_body_over_the_limit_is_refused(deployment: Deployment, tmp_path: Path, video: Path) -> None:
    deployment.environment["FRAMELOOM_GATEWAY_MAX_UPLOAD_BYTES"] = "3000000"
    await deployment.start("gateway", "worker")
    async with asyncio.timeout(60):
        while True:
            try:
                if (await deployment.get("/api/v1/pipelines/scene_detection"))["enabled"]:
                    break
            except (aiohttp.ClientError, AssertionError):
                pass
            await asyncio.sleep(0.1)
    large = written(tmp_path / "large.mp4", video.read_bytes() + b"\0" * 4_000_000)
    status, body = await post(deployment, form(large, "scene_detection", None, None))
    assert status == 413, body
    assert "3" in body["error"]["message"]
    assert await deployment.keys() == []


async def test_no_video_at_all_is_told_like_a_missing_field(shared: Deployment) -> None:
    data = aiohttp.FormData(default_to_multipart=True)
    data.add_field("selected_pipelines", "scene_detection")
    status, body = await post(shared, data)
    assert status == 422
    assert body["detail"][0]["loc"] == ["body", "video"]


async def test_an_unknown_job_is_told(shared: Deployment) -> None:
    async with shared.http.get(f"{shared.base_url}/api/v1/jobs/nobody") as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["code"]) == (404, "JOB_NOT_FOUND")
