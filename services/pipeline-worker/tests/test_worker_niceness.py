"""Children of the worker yield to others where that is asked for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psutil
import pytest

from frameloom.worker.child.process import ChildProcess
from frameloom.worker.child.protocol import Describe, Description

ASK = "import os; from frameloom.worker.niceness import yield_to_others as y; y({}); print(os.nice(0))"


@pytest.mark.parametrize("nice", [0, 7])
def test_the_whole_process_becomes_nicer(nice: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", ASK.format(nice)], capture_output=True, text=True, check=True, timeout=30
    )
    assert int(told.stdout) == os.nice(0) + nice


async def test_a_child_is_as_nice_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMELOOM_WORKER_NICE", "3")
    monkeypatch.setenv("FRAMELOOM_WORKER_PIPELINES", "scene_detection")
    child = await ChildProcess.start()
    try:
        async with asyncio.timeout(60):
            await child.send(Describe(extra_pipelines=()))
            assert isinstance(await child.receive(), Description)
        assert psutil.Process(child.pid).nice() == os.nice(0) + 3
    finally:
        await child.kill()
