"""Files of a job and the count of jobs, over all services."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from support.deployment import Deployment, form
from support.media import clip


async def finished(deployment: Deployment, media: Path, pipelines: str = "scene_detection") -> str:
    job_id = await deployment.submit(media, pipelines)
    assert (await deployment.ended(job_id))["status"] == "completed"
    return job_id


async def bytes_of(
    deployment: Deployment, path: str, status: int = 200, **headers: str
) -> tuple[bytes, Mapping[str, str]]:
    async with deployment.http.get(deployment.base_url + path, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.read(), answer.headers


async def test_the_archive_has_every_file_as_the_results_tell_it(shared: Deployment, video: Path) -> None:
    job_id = await finished(shared, video, "scene_detection,gated")
    path = f"/api/v1/jobs/{job_id}/artifacts"
    body, headers = await bytes_of(shared, path)
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Content-Disposition"] == f"attachment; filename=job_{job_id}_artifacts.zip"
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files[video.name] == video.read_bytes()
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    told = [file for result in results.values() for file in result["files"]]
    assert {file["filename"] for file in told} == {
        "tiny clip_scene_detection.json",
        "tiny clip_gated.json",
    }
    for file in told:
        content = files[f"tiny clip_output/{file['filename']}"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert len(content) == file["size_bytes"]
        assert (await bytes_of(shared, file["download_url"]))[0] == content
    manifest = {entry["path"]: entry for entry in json.loads(files["manifest.json"])["files"]}
    assert {name: hashlib.sha256(files[name]).hexdigest() for name in manifest} == {
        name: entry["sha256"] for name, entry in manifest.items()
    }
    provenance = [json.loads(line) for line in files["provenance.jsonl"].splitlines()]
    assert {line["pipeline"] for line in provenance} == {"scene_detection", "gated"}
    assert all(line["provenance"]["input_sha256"] == manifest[video.name]["sha256"] for line in provenance)

    # A download that broke off goes on where it was.
    half = len(body) // 2
    first, headers = await bytes_of(shared, path, 206, Range=f"bytes=0-{half - 1}")
    rest, _ = await bytes_of(shared, path, 206, Range=f"bytes={half}-", **{"If-Range": headers["ETag"]})
    assert first + rest == body


async def test_a_webm_comes_back_in_the_archive_and_by_itself(shared: Deployment, tmp_path: Path) -> None:
    media = clip(tmp_path / "spät.webm", codec="libvpx")
    job_id = await finished(shared, media)
    body, _ = await bytes_of(shared, f"/api/v1/jobs/{job_id}/artifacts")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.read("spät.webm") == media.read_bytes()
        assert "spät_output/spät_scene_detection.json" in archive.namelist()
    part, headers = await bytes_of(shared, f"/api/v1/jobs/{job_id}/video", 206, Range="bytes=100-199")
    assert part == media.read_bytes()[100:200]
    assert headers["Content-Type"] == "video/webm"


async def test_a_download_can_lead_past_the_gateway(shared: Deployment, video: Path) -> None:
    job_id = await finished(shared, video)
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    (file,) = results["scene_detection"]["files"]
    for path, digest, disposition in (
        (file["download_url"], file["sha256"], "attachment"),
        (f"/api/v1/jobs/{job_id}/video", hashlib.sha256(video.read_bytes()).hexdigest(), "inline"),
    ):
        mark = "&" if "?" in path else "?"
        url = f"{shared.base_url}{path}{mark}redirect=true"
        async with shared.http.get(url, allow_redirects=False) as answer:
            assert (answer.status, await answer.read()) == (307, b"")
            address = answer.headers["Location"]
        assert address.startswith(f"http://{shared.environment['FRAMELOOM_S3_ENDPOINT']}/")
        async with aiohttp.ClientSession() as stranger:
            async with stranger.get(URL(address, encoded=True)) as answer:
                assert answer.status == 200
                assert hashlib.sha256(await answer.read()).hexdigest() == digest
                assert answer.headers["Content-Disposition"].startswith(f"{disposition}; filename=")
            async with stranger.get(URL(address.partition("?")[0], encoded=True)) as answer:
                assert answer.status == 403


async def counted(deployment: Deployment, gateway: str) -> dict[str, int]:
    """What a gateway tells of how many jobs there are."""
    totals = {}
    for status in ("", "pending", "cancelled"):
        url = f"{deployment.url_of(gateway)}/api/v1/jobs/?per_page=1&status_filter={status}"
        async with deployment.http.get(url) as answer:
            assert answer.status == 200
            totals[status or "all"] = (await answer.json())["total"]
    return totals


async def until(deployment: Deployment, gateway: str, wanted: dict[str, int]) -> None:
    async with asyncio.timeout(10):
        while await counted(deployment, gateway) != wanted:
            await asyncio.sleep(0.02)


async def posted(deployment: Deployment, gateway: str, video: Path) -> dict[str, Any]:
    url = f"{deployment.url_of(gateway)}/api/v1/jobs/"
    async with deployment.http.post(url, data=form(video, "scene_detection", None, None)) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


async def test_two_gateways_count_alike_and_each_its_own_at_once(deployment: Deployment, video: Path) -> None:
    """Nobody plans the jobs, so that they stay pending."""
    await deployment.start("gateway", "gateway-2", "worker")
    async with asyncio.timeout(60):
        for name in ("gateway", "gateway-2"):
            while True:
                try:
                    url = f"{deployment.url_of(name)}/api/v1/pipelines/scene_detection"
                    async with deployment.http.get(url) as answer:
                        if (await answer.json())["enabled"]:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
    jobs = []
    for number in range(1, 5):
        own, other = ("gateway", "gateway-2") if number % 2 else ("gateway-2", "gateway")
        job = await posted(deployment, own, video)
        jobs.append(job["id"])
        wanted = {"all": number, "pending": number, "cancelled": 0}
        assert job["queue_position"] == number
        assert await counted(deployment, own) == wanted
        await until(deployment, other, wanted)
    async with deployment.http.post(
        f"{deployment.url_of('gateway-2')}/api/v1/jobs/{jobs[1]}/cancel"
    ) as answer:
        assert (answer.status, (await answer.json())["queue_position"]) == (200, None)
    wanted = {"all": 4, "pending": 3, "cancelled": 1}
    assert await counted(deployment, "gateway-2") == wanted
    await until(deployment, "gateway", wanted)
    for name in ("gateway", "gateway-2"):
        async with deployment.http.get(f"{deployment.url_of(name)}/api/v1/jobs/") as answer:
            listed = (await answer.json())["jobs"]
        assert [(job["id"], job["queue_position"]) for job in listed] == [
            (jobs[0], 1),
            (jobs[1], None),
            (jobs[2], 2),
            (jobs[3], 3),
        ]
    # One that starts now counts what is there.
    await deployment.stop("gateway")
    await deployment.start("gateway")
    async with asyncio.timeout(60):
        while True:
            try:
                assert await counted(deployment, "gateway") == wanted
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
            else:
                break
