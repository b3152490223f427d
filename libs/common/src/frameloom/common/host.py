"""Looks at the machine and at this process. Blocking, though quick: to be called by a sampling thread."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from frameloom.common.documents.facts import DiskFacts, HostFacts, MemoryFacts, ProcessFacts

_PRIMING_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """What one child process uses.

    Attributes:
        rss_bytes: Its resident memory.
        cpu_percent: Of one core, since the look before.
    """

    rss_bytes: int
    cpu_percent: float


class HostProbe:
    """Reads the facts of the host and of this process; rates are since the look before.

    Args:
        folder: Whose disk is told; None: none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._process = psutil.Process()
        self._platform = platform.platform()
        self._cpus = psutil.cpu_count() or 1
        self._primed = False

    def read(self) -> tuple[HostFacts, ProcessFacts]:
        """Looks once."""
        if not self._primed:
            # The first rates would be those since the machine and the process began.
            self._process.cpu_percent()
            psutil.cpu_percent(_PRIMING_SECONDS)
            self._primed = True
        memory = psutil.virtual_memory()
        host = HostFacts(
            platform=self._platform,
            python_version=platform.python_version(),
            cpu_count=self._cpus,
            cpu_percent=psutil.cpu_percent(),
            load=os.getloadavg() if hasattr(os, "getloadavg") else None,
            memory=MemoryFacts(
                total_bytes=memory.total,
                available_bytes=memory.available,
                used_bytes=memory.used,
                free_bytes=memory.free,
                percent=memory.percent,
            ),
            disk=_disk(self._folder) if self._folder else None,
        )
        with self._process.oneshot():
            process = ProcessFacts(
                rss_bytes=self._process.memory_info().rss,
                cpu_percent=self._process.cpu_percent(),
                threads=self._process.num_threads(),
            )
        return host, process


class ChildrenProbe:
    """Reads what child processes use, by process id."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def read(self, pids: Iterable[int]) -> dict[int, Usage]:
        """Looks once; those that are gone are left out."""
        wanted = set(pids)
        self._known = {pid: process for pid, process in self._known.items() if pid in wanted}
        found: dict[int, Usage] = {}
        for pid in wanted:
            try:
                process = self._known.setdefault(pid, psutil.Process(pid))
                found[pid] = Usage(process.memory_info().rss, process.cpu_percent())
            except psutil.Error:
                self._known.pop(pid, None)
        return found


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of those that are installed; none of them is imported."""
    found: dict[str, str] = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _disk(folder: Path) -> DiskFacts | None:
    """The disk under a folder, which may be made only later."""
    place = next((p for p in (folder, *folder.absolute().parents) if p.exists()), None)
    if place is None:
        return None
    usage = psutil.disk_usage(str(place))
    return DiskFacts(
        path=str(folder),
        total_bytes=usage.total,
        used_bytes=usage.used,
        free_bytes=usage.free,
        percent=usage.percent,
    )
