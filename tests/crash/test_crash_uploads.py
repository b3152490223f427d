"""A gateway is killed in the middle of an upload: nothing of it becomes a job, and nothing stays."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil

from support.deployment import Deployment, form
from support.media import clip


async def test_what_a_killed_gateway_has_not_examined_goes(deployment: Deployment, tmp_path: Path) -> None:
    deployment.environment["FRAMELOOM_RESULTS_QUARANTINE_AFTER_SECONDS"] = "2"
    deployment.environment["FRAMELOOM_UPLOAD_HELD_BYTES"] = "0"
    await deployment.start("gateway", "worker", "scheduler")
    async with asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientError, AssertionError):
                if (await deployment.get("/api/v1/pipelines/"))["pipelines"]:
                    break
            await asyncio.sleep(0.1)
    examining = psutil.Process(deployment.pid("gateway")).children(recursive=True)
    assert examining
    for process in examining:
        process.send_signal(signal.SIGSTOP)
    try:
        sending = asyncio.create_task(
            deployment.http.post(
                f"{deployment.base_url}/api/v1/jobs/",
                data=form(clip(tmp_path / "a.mp4"), "scene_detection", None, None),
            )
        )
        async with asyncio.timeout(30):
            while not (left := await deployment.keys("quarantine/")):
                await asyncio.sleep(0.05)
        await deployment.kill("gateway")
        await asyncio.wait({sending})
        assert isinstance(sending.exception(), aiohttp.ClientError)
    finally:
        for process in examining:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(psutil.wait_procs, examining, timeout=10)
    assert not [process for process in examining if process.is_running()], (
        "what examines ends with its gateway"
    )

    assert await deployment.keys() == left, "nothing unexamined is anywhere else"
    await deployment.start("results")
    async with asyncio.timeout(30):
        while await deployment.keys():
            await asyncio.sleep(0.1)
