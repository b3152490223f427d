"""VideoAnnotator's own command line against our gateway.

The original is not on the package index, so it can not be run here. What it sends is replayed instead, with
the library that it uses (requests), without a key as it sends none, and what it reads from the answers is
read as its source of release 1.4 does (``job submit``, ``status``, ``results``, ``list``, ``pipelines``,
``config --show-default``; of ``download-annotations`` only the path is known). Our own ``videoannotator``
command is run beside it, as a process.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from support.deployment import SERVICES, Deployment
from support.grounds import Ground


@pytest.fixture(scope="module")
async def laptop(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """An installation that asks for no key."""
    deployment = Deployment(ground, tmp_path_factory.mktemp("laptop"), {"AUTH_REQUIRED": "false"})
    deployment.api_key = ""
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        yield deployment
    finally:
        await deployment.close()


async def _sent(call: Callable[..., requests.Response], *args: Any, **options: Any) -> requests.Response:
    return await asyncio.to_thread(call, *args, timeout=30, **options)


async def _submitted(base: str, video: Path, **data: str) -> dict[str, Any]:
    """As ``job submit`` does it; it wants 201."""
    with video.open("rb") as file:
        files = {"video": (video.name, file, "video/mp4")}
        answer = await _sent(requests.post, f"{base}/api/v1/jobs/", files=files, data=data)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_way_of_a_job(laptop: Deployment, video: Path) -> None:
    base = laptop.base_url
    config = json.dumps({"scene_detection": {"threshold": 27.0}})
    job = await _submitted(base, video, selected_pipelines="scene_detection", config=config)
    assert job["status"] == "pending"
    await laptop.ended(job["id"])

    status = (await _sent(requests.get, f"{base}/api/v1/jobs/{job['id']}")).json()
    assert status["status"] == "completed"
    assert status["created_at"]
    assert status["completed_at"]
    assert status["error_message"] is None
    assert status["selected_pipelines"] == ["scene_detection"]

    results = (await _sent(requests.get, f"{base}/api/v1/jobs/{job['id']}/results")).json()
    assert results["status"] == "completed"
    result = results["pipeline_results"]["scene_detection"]
    assert result["status"] == "completed"
    assert float(f"{result['processing_time']:.2f}") >= 0
    assert result["annotation_count"] >= 1
    assert result["output_file"] == f"{video.stem}_scene_detection.json"
    assert result["error_message"] is None

    page = (await _sent(requests.get, f"{base}/api/v1/jobs/", params={"page": 1, "per_page": 10})).json()
    assert page["total"] >= 1
    (row,) = [row for row in page["jobs"] if row["id"] == job["id"]]
    assert Path(row["video_path"]).name == video.name
    wanted = {"page": 1, "per_page": 10, "status_filter": "completed"}
    listed = (await _sent(requests.get, f"{base}/api/v1/jobs/", params=wanted)).json()
    assert job["id"] in [row["id"] for row in listed["jobs"]]

    archive = await _sent(requests.get, f"{base}/api/v1/jobs/{job['id']}/artifacts", stream=True)
    assert archive.status_code == 200
    names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
    assert any(Path(name).name == video.name for name in names)
    assert any(name.endswith("_scene_detection.json") for name in names)


async def test_without_pipelines_and_without_a_configuration(laptop: Deployment, video: Path) -> None:
    job = await _submitted(laptop.base_url, video)
    assert "scene_detection" in job["selected_pipelines"]


async def test_unknown_jobs_are_404(laptop: Deployment) -> None:
    for path in ("jobs/nobody", "jobs/nobody/results"):
        answer = await _sent(requests.get, f"{laptop.base_url}/api/v1/{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "Job nobody not found"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_pipelines_with_and_without_the_slash(laptop: Deployment, slash: str) -> None:
    answer = await _sent(requests.get, f"{laptop.base_url}/api/v1/pipelines{slash}", allow_redirects=False)
    assert answer.status_code == 200
    for one in answer.json()["pipelines"]:
        assert one["name"]
        assert all(isinstance(one.get(field, []), list) for field in ("tasks", "modalities", "capabilities"))
        assert all(output["format"] + "/".join(output["types"]) for output in one["outputs"])
        assert isinstance(one["config_schema"], dict)


async def test_the_form_without_the_slash_is_200(laptop: Deployment, video: Path) -> None:
    with video.open("rb") as file:
        answer = await _sent(
            requests.post,
            f"{laptop.base_url}/api/v1/jobs",
            files={"video": (video.name, file, "video/mp4")},
            allow_redirects=False,
        )
    assert answer.status_code == 200


async def test_the_default_configuration_is_told(laptop: Deployment) -> None:
    answer = await _sent(requests.get, f"{laptop.base_url}/api/v1/system/config")
    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)


async def _ran(*args: str, **environment: str) -> tuple[int, str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRAMELOOM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "frameloom.client.compat", *args,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**kept, **environment},
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_our_videoannotator_command_goes_the_same_way(
    laptop: Deployment, video: Path, tmp_path: Path
) -> None:
    server = ("--server", laptop.base_url)
    code, out, err = await _ran("job", "submit", str(video), "--pipelines", "scene_detection", *server)
    assert code == 0, out + err
    job = out.splitlines()[2].removeprefix("Job ID: ")
    await laptop.ended(job)
    code, out, _ = await _ran("job", "results", job, *server)
    assert code == 0
    assert f"    Output File: {video.stem}_scene_detection.json" in out.splitlines()
    code, out, err = await _ran("job", "download-annotations", job, "-o", str(tmp_path), *server)
    assert code == 0, out + err
    assert zipfile.ZipFile(next(tmp_path.glob("*.zip"))).testzip() is None
    code, out, err = await _ran("pipelines", "--detailed", *server)
    assert code == 0, out + err
    assert "- scene_detection" in out.splitlines()
