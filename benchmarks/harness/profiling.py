"""Where the time of running services goes, by sampling them from outside (needs py-spy)."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_RATE = 200
_MOST_SECONDS = 120
_TOP = 12


@asynccontextmanager
async def sampled(pids: Mapping[str, int], folder: Path) -> AsyncIterator[None]:
    """Samples processes while the block runs, into ``folder/NAME.txt`` (collapsed stacks).

    Raises:
        FileNotFoundError: py-spy is not installed.
    """
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        raise FileNotFoundError("py-spy is not installed: pip install py-spy")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    samplers = [
        await asyncio.create_subprocess_exec(
            *(program, "record", "--pid", str(pid), "--rate", str(_RATE), "--duration", str(_MOST_SECONDS)),
            *("--format", "raw", "--output", str(folder / f"{name}.txt"), "--nonblocking"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        for name, pid in pids.items()
    ]
    try:
        yield
    finally:
        for sampler in samplers:
            with suppress(ProcessLookupError):
                sampler.send_signal(signal.SIGINT)
        await asyncio.gather(*(sampler.wait() for sampler in samplers))


def top(path: Path) -> tuple[int, list[tuple[str, int]], list[tuple[str, int]]]:
    """All samples of a file, and the functions with most of them: at the top of the stack, and anywhere."""
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_function(frame) for frame in stack.split(";")]
        total += int(count)
        alone[frames[-1]] += int(count)
        within.update(dict.fromkeys(frames, int(count)))
    return total, alone.most_common(_TOP), within.most_common(60)


def _function(frame: str) -> str:
    """The frame without its line number: ``name (file.py:12)`` to ``name (file.py)``."""
    head, colon, _ = frame.rpartition(":")
    return f"{head})" if colon else frame
