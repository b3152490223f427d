"""Where the time of running services goes: cProfile in their event loops, switched by signals."""

from __future__ import annotations

import asyncio
import os
import pstats
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_RUNNER = Path(__file__).with_name("profiled.py")
_WRITE_SECONDS = 20.0
_LOOK_SECONDS = 0.05
_WAITING = ("method 'poll' of 'select.epoll'", "method 'select.kqueue")
_PACKAGE = re.compile(r"site-packages/([^/]+)|python\d\.\d+/(?!site-packages)([^/.]+)|src/frameloom/(\w+)")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile shows.

    Attributes:
        busy_seconds: Time in all functions but the waiting for events.
        packages: Seconds spent in each package's own code and in the built-in functions, largest first.
        ours: Seconds within each function of Frameloom, what it calls included, largest first.
    """

    busy_seconds: float
    packages: list[tuple[str, float]]
    ours: list[tuple[str, float]]


def commands(modules: Iterable[str], folder: Path) -> dict[str, tuple[str, ...]]:
    """The command lines of services under the profiler, by service."""
    return {
        name: (sys.executable, str(_RUNNER), str(folder / f"{name}.pstats"), f"frameloom.{name}")
        for name in modules
    }


@asynccontextmanager
async def switched_on(pids: Mapping[str, int], folder: Path) -> AsyncIterator[None]:
    """Profiles while the block runs; afterwards the files are in the folder.

    Raises:
        TimeoutError: A service did not write its file.
    """
    for pid in pids.values():
        os.kill(pid, signal.SIGUSR1)
    yield
    for pid in pids.values():
        os.kill(pid, signal.SIGUSR2)
    async with asyncio.timeout(_WRITE_SECONDS):
        while not all((folder / f"{name}.pstats").exists() for name in pids):  # noqa: ASYNC110 - others' files
            await asyncio.sleep(_LOOK_SECONDS)


def read(path: Path) -> Profile:
    """Sums a profile up."""
    packages: defaultdict[str, float] = defaultdict(float)
    ours: defaultdict[str, float] = defaultdict(float)
    for (file, _, function), (_, _, own, within, _) in pstats.Stats(str(path)).stats.items():  # type: ignore[attr-defined]
        if any(word in function for word in _WAITING):
            continue
        packages[_package(file)] += own
        if "/frameloom/" in file:
            ours[f"{file.rpartition('/frameloom/')[2]} {function}"] += within
    return Profile(sum(packages.values()), _largest_first(packages), _largest_first(ours))


def _largest_first(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def _package(file: str) -> str:
    if (match := _PACKAGE.search(file)) is None:
        return "built-in functions"
    distribution, standard, own = match.groups()
    return distribution or (f"frameloom.{own}" if own else f"{standard} (standard library)")
