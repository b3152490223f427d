"""The embedded stack of one benchmark, in a temporary folder, and its processes."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from frameloom.local.up import Stack, UpOptions

SERVICES = ("gateway", "scheduler", "results", "worker")


def run(main: Coroutine[Any, Any, None]) -> int:
    """Runs a benchmark; Ctrl-C and SIGTERM end its stack in order. Answers an exit status."""

    async def guarded() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await main

    try:
        asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\ninterrupted")
        return 130
    return 0


@asynccontextmanager
async def folder(parent: Path | None) -> AsyncIterator[Path]:
    """A temporary folder, removed at the end; after a failure it stays, for its logs."""
    path = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="frameloom-bench-", dir=parent))
    try:
        yield path
    except Exception:
        print(f"\nthis failed; what was under way is kept in {path}")
        raise
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        raise
    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


@asynccontextmanager
async def running(
    data: Path,
    *,
    workers: int = 1,
    slots: int = 1,
    commands: Mapping[str, tuple[str, ...]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Stack]:
    """A stack on free ports whose logs go to its folder only.

    Args:
        data: Its folder.
        workers: How many worker processes.
        slots: How many tasks each runs at once.
        commands: Other command lines for the services, by name.
        environment: More settings for the services.
    """
    options = UpOptions(
        data=data,
        port=0,
        workers=workers,
        quiet=True,
        environment={
            "FRAMELOOM_WORKER_SLOTS": str(slots),
            # Counted as ever, but never reached.
            "FRAMELOOM_LIMIT_REQUESTS_PER_SECOND": "1000000",
            "FRAMELOOM_LIMIT_BURST": "1000000",
            **(environment or {}),
        },
    )
    if commands is not None:
        options = replace(options, commands=commands)
    began = time.monotonic()
    async with Stack(options) as stack:
        print(f"stack ready in {time.monotonic() - began:.1f} s ({workers} worker(s), {slots} slot(s) each)")
        yield stack


def processes(stack: Stack) -> dict[str, psutil.Process]:
    """The stack's processes by name; children of gateway and worker as ``worker-child`` with a number."""
    found: dict[str, psutil.Process] = {}
    for name, pid in stack.pids.items():
        if pid is None:
            continue
        found[name] = psutil.Process(pid)
        if name.startswith(("worker", "gateway")):
            children = sorted(found[name].children(recursive=True), key=lambda child: child.pid)
            for number, child in enumerate(children, start=1):
                found[f"{name}-child" if len(children) == 1 else f"{name}-child-{number}"] = child
    return found


class CpuUse:
    """Processor seconds of each process since the beginning of a block."""

    def __init__(self, stack: Stack) -> None:
        self._processes = processes(stack)
        self._began = {name: _seconds(process) for name, process in self._processes.items()}
        self._own = _seconds(psutil.Process())

    def seconds(self) -> dict[str, float]:
        """By process, the benchmark itself included."""
        used = {name: _seconds(process) - self._began[name] for name, process in self._processes.items()}
        return {**used, "this benchmark": _seconds(psutil.Process()) - self._own}


def _seconds(process: psutil.Process) -> float:
    """User and system time, its ended children's too; those of one that has ended itself count as nothing."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
