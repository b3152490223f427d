"""The Python client against a whole system: the examples of docs/sdk.md, and an upload through a crash."""

from __future__ import annotations

import asyncio
import os
import re
import struct
import sys
from pathlib import Path

import pytest

from frameloom.client import AsyncClient
from support.deployment import Deployment

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
OPEN_END = "for event in client.events():"
"""An example with this waits for somebody to submit a job."""


def titled(example: str) -> str:
    """The first call in it, as its name."""
    found = re.search(r"client\.([\w.]+)\(", example)
    return found[1] if found else "example"


def script(example: str, deployment: Deployment) -> str:
    """The example with the address and the key of the system here; with a client where it takes one."""
    connection = f'"{deployment.base_url}", api_key="{deployment.api_key}"'
    placed = example.replace('"http://127.0.0.1:18011", api_key="va_…"', connection)
    given = f"from frameloom.client import Client\nclient = Client({connection})\n"
    return placed if "Client(" in placed else given + placed


@pytest.mark.parametrize("example", EXAMPLES, ids=map(titled, EXAMPLES))
async def test_the_example_does_what_it_says(
    shared: Deployment, example: str, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "holiday.mp4").write_bytes(video.read_bytes())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error::ResourceWarning", "-c", script(example, shared), cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = asyncio.create_task(process.communicate())
    async with asyncio.timeout(100):
        while OPEN_END in example and not ended.done():
            await shared.submit(video, "scene_detection")
            await asyncio.wait({ended}, timeout=1)
        out, err = await ended
    assert process.returncode == 0, err.decode()
    assert err == b""
    if "print(" in example:
        assert out


def test_there_are_examples_of_each_part() -> None:
    assert len(EXAMPLES) == 8


async def test_a_resumable_upload_outlives_the_gateway(
    deployment: Deployment, video: Path, tmp_path: Path
) -> None:
    filling = os.urandom(40 << 20)
    large = tmp_path / "large.mp4"
    # A box that players pass over makes a small clip a large file.
    large.write_bytes(video.read_bytes() + struct.pack(">I4s", len(filling) + 8, b"free") + filling)
    await deployment.start("gateway", "scheduler", "results", "worker")
    await deployment.ready()
    killed: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await deployment.kill("gateway")
        await deployment.start("gateway")

    def watch(sent: int) -> None:
        if sent > 20 << 20 and not killed:
            killed.append(asyncio.create_task(restart()))

    async with AsyncClient(deployment.base_url, api_key=deployment.api_key) as client:
        job = await client.submit(large, pipelines=["scene_detection"], upload="tus", on_bytes=watch)
        await killed[0]
        assert (await client.wait(job.id, timeout=60)).succeeded
        assert [one.id async for one in client.jobs()] == [job.id]
    assert job.video_size_bytes == large.stat().st_size
