"""A gate: tests hold pipelines there, and know the processes that wait."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import psutil


class Gate:
    """Holds gated tasks until it is opened."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gate"

    @property
    def config(self) -> str:
        """The job configuration that names this gate."""
        return json.dumps({name: {"gate": str(self._file)} for name in ("gated", "in_segments", "stuck")})

    def open(self) -> None:
        """Lets everybody through."""
        self._file.touch()

    def waiting(self) -> list[int]:
        """Process ids of those who wait, or waited."""
        return [int(path.suffix[1:]) for path in self._file.parent.glob("gate.*")]

    async def somebody_waits(self, besides: int = 0) -> None:
        """Returns when more than ``besides`` processes have come to the gate."""
        async with asyncio.timeout(60):
            while len(self.waiting()) <= besides:
                await asyncio.sleep(0.02)


async def gone(pid: int, seconds: float = 60.0) -> None:
    """Returns when a process is gone; of a zombie only its parent knows."""
    async with asyncio.timeout(seconds):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.005)
