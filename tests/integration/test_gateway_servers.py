"""The gateway over real servers: uploads that break off, ranges from the store, and an orderly end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from support.deployment import Deployment

BLOCK = bytes(256 * 1024)


def upload(video: Path, blocks: AsyncIterator[bytes]) -> aiohttp.FormData:
    """A form whose file is the video and then whatever ``blocks`` yields."""

    async def body() -> AsyncIterator[bytes]:
        yield video.read_bytes()
        async for block in blocks:
            yield block

    data = aiohttp.FormData(quote_fields=False)
    data.add_field("selected_pipelines", "scene_detection")
    data.add_field("video", body(), filename="long.mp4", content_type="video/mp4")
    return data


async def test_a_client_that_goes_away_in_a_large_upload_leaves_nothing(
    shared: Deployment, video: Path
) -> None:
    before = await shared.keys()
    under_way = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for number in range(100_000):
            if number == 100:  # 25 MiB: parts of it have been stored by now
                under_way.set()
            yield BLOCK

    async with shared.new_session() as http:
        sending = asyncio.create_task(
            http.post(f"{shared.base_url}/api/v1/jobs/", data=upload(video, endless()))
        )
        async with asyncio.timeout(60):
            await under_way.wait()
        sending.cancel()
        await asyncio.wait([sending])
    # The gateway still answers, and nothing of it can be found.
    assert (await shared.get("/api/v1/health"))["status"] == "ok"
    assert await shared.keys() == before


async def test_a_result_can_be_fetched_in_ranges(shared: Deployment, video: Path) -> None:
    job_id = await shared.submit(video, "scene_detection", filename="späte Aufnahme.mp4")
    assert (await shared.ended(job_id))["status"] == "completed"
    results: dict[str, Any] = await shared.get(f"/api/v1/jobs/{job_id}/results")
    (file,) = results["pipeline_results"]["scene_detection"]["files"]
    url = shared.base_url + file["download_url"]
    size = file["size_bytes"]
    parts = []
    for span in (f"bytes=0-{size // 2 - 1}", f"bytes={size // 2}-"):
        headers = {"Range": span, "If-Range": f'"{file["sha256"]}"'}
        async with shared.http.get(url, headers=headers) as answer:
            assert answer.status == 206
            parts.append(await answer.read())
    assert hashlib.sha256(b"".join(parts)).hexdigest() == file["sha256"]
    async with shared.http.get(url, headers={"Range": "bytes=-10"}) as answer:
        assert (await answer.read(), answer.status) == (parts[1][-10:], 206)
        assert answer.content_disposition is not None
        assert answer.content_disposition.filename == file["filename"]
    async with shared.http.get(url, headers={"If-None-Match": f'"{file["sha256"]}"'}) as answer:
        assert answer.status == 304
    async with shared.http.get(url, headers={"Range": f"bytes={size}-"}) as answer:
        assert answer.status == 416


async def test_an_upload_in_flight_is_finished_before_the_end(deployment: Deployment, video: Path) -> None:
    await deployment.start("gateway", "worker")
    async with asyncio.timeout(60):
        while True:
            try:
                if (await deployment.get("/api/v1/pipelines/scene_detection"))["enabled"]:
                    break
            except (aiohttp.ClientError, AssertionError):
                pass
            await asyncio.sleep(0.1)
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield BLOCK
        under_way.set()
        await go_on.wait()
        for _ in range(40):
            yield BLOCK

    async with deployment.new_session() as http:
        stream = await http.get(f"{deployment.base_url}/api/v1/events/stream")
        assert stream.status == 200
        sending = asyncio.create_task(
            http.post(f"{deployment.base_url}/api/v1/jobs/", data=upload(video, held()))
        )
        async with asyncio.timeout(60):
            await under_way.wait()
            ending = asyncio.create_task(deployment.stop("gateway"))
            await stream.read()  # the streams end at once
            go_on.set()
            answer = await sending
            assert answer.status == 201
            job_id = (await answer.json())["id"]
            assert await ending == [0]
    job, _ = await deployment.documents(job_id)
    assert job.media.size_bytes == video.stat().st_size + 80 * len(BLOCK)
    assert job.relayed_seq == job.seq
