"""The ways by which a large file reaches the system, beside a form."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from yarl import URL

from harness.client import BenchmarkError, Client, Timed

WAYS = ("form", "tus", "direct")
_TUS_CHUNK_BYTES = 256 * 1024**2
_READ_BYTES = 1024**2


async def sent(client: Client, way: str, video: Path, pipelines: str) -> Timed:
    """Sends a file by one of the ways; it must become a job."""
    if way == "form":
        return await client.submit(video, pipelines)
    sent_at, began = datetime.now(UTC), time.perf_counter()
    job_id = await (_tus if way == "tus" else _direct)(client, video, pipelines)
    return Timed(job_id, began, time.perf_counter(), sent_at)


async def _tus(client: Client, video: Path, pipelines: str) -> str:
    size, offset = _size(video), 0
    named = {"filename": video.name, "selected_pipelines": pipelines}
    metadata = ",".join(f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in named.items())
    version = {"Tus-Resumable": "1.0.0"}
    headers = {**version, "Upload-Length": str(size), "Upload-Metadata": metadata}
    skipped = ("Content-Type",)
    async with client.session.post(
        f"{client.base_url}/api/v1/uploads", headers=headers, skip_auto_headers=skipped
    ) as answer:
        url = client.base_url + answer.headers["Location"]
    while True:
        length = min(_TUS_CHUNK_BYTES, size - offset)
        piece = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        sized = {**version, **piece, "Content-Length": str(length)}
        async with client.session.patch(url, data=_part(video, offset, length), headers=sized) as answer:
            if answer.status != 204:
                raise BenchmarkError(f"a piece was refused with {answer.status}: {await answer.text()}")
            offset = int(answer.headers["Upload-Offset"])
            if job := answer.headers.get("X-Job-Id"):
                return job


async def _direct(client: Client, video: Path, pipelines: str) -> str:
    asked = {"filename": video.name, "size_bytes": _size(video), "selected_pipelines": [pipelines]}
    async with client.session.post(f"{client.base_url}/api/v1/uploads/direct", json=asked) as answer:
        direct = await answer.json()
    named = []
    async with aiohttp.ClientSession() as stranger:
        for part in direct["parts"]:
            start = (part["number"] - 1) * direct["part_size_bytes"]
            sized = {"Content-Length": str(part["size_bytes"])}
            body = _part(video, start, part["size_bytes"])
            async with stranger.put(URL(part["url"], encoded=True), data=body, headers=sized) as answer:
                named.append({"number": part["number"], "etag": answer.headers["ETag"]})
    path = f"/api/v1/uploads/{direct['upload_id']}/complete"
    async with client.session.post(client.base_url + path, json={"parts": named}) as answer:
        if answer.status != 201:
            raise BenchmarkError(f"the file was refused with {answer.status}: {await answer.text()}")
        return str((await answer.json())["id"])


def _size(video: Path) -> int:
    return video.stat().st_size


async def _part(video: Path, offset: int, length: int) -> AsyncIterator[bytes]:
    with video.open("rb") as file:
        file.seek(offset)
        while length > 0:
            block = file.read(min(_READ_BYTES, length))
            length -= len(block)
            yield block
