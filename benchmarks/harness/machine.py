"""The machine that figures belong to, and how busy others keep it."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

_SPINS = 7
_SPIN_BYTES = 8 * 1024 * 1024
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Machine:
    """What ran, and how fast a fixed piece of work was just then.

    Attributes:
        cpu: Model of the processor.
        cores: Logical ones.
        memory_gib: All of it.
        system: Operating system and its version.
        python: Version of the interpreter.
        date: When, UTC.
        load: Load average of the last minute, before the benchmark added its own.
        spin_best_ms: The quickest of a few runs of fixed single-core work (hash of 8 MiB).
        spin_median_ms: The median of the same; much above the quickest means that others use the cores.
    """

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    date: str
    load: float
    spin_best_ms: float
    spin_median_ms: float

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        spins = [_spin_ms() for _ in range(_SPINS)]
        return cls(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            memory_gib=round(psutil.virtual_memory().total / _GIB, 1),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            load=round(os.getloadavg()[0], 2),
            spin_best_ms=round(min(spins), 1),
            spin_median_ms=round(statistics.median(spins), 1),
        )

    def line(self) -> str:
        """One line for the head of a report."""
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:g} GiB, {self.system}, Python {self.python}; "
            f"{self.date}; load before {self.load:g}; fixed work {self.spin_median_ms:g} ms "
            f"(best {self.spin_best_ms:g})"
        )

    def raw(self) -> dict[str, object]:
        """For the JSON file."""
        return asdict(self)


class Others:
    """How many cores other programs used since it was made: the noise in the figures."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = _busy_seconds()

    def cores(self, own_seconds: float) -> float:
        """The average so far; ``own_seconds`` of processor time were our own processes'."""
        span = max(time.monotonic() - self._began, 1e-6)
        return max(0.0, (_busy_seconds() - self._busy - own_seconds) / span)


def _busy_seconds() -> float:
    """Processor seconds spent by the whole machine since it started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _spin_ms() -> float:
    block = bytes(_SPIN_BYTES)
    began = time.perf_counter()
    hashlib.sha256(block).digest()
    return (time.perf_counter() - began) * 1000


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
