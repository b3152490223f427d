"""The resident memory of processes over time."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import psutil

_EVERY_SECONDS = 0.2
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """One process's resident memory within a span of time, in MiB.

    Attributes:
        samples: How many.
        start: The first one.
        peak: The largest.
        end: The last one.
        first_third: Median of the first third of the samples.
        last_third: Median of the last third.
    """

    samples: int
    start: float
    peak: float
    end: float
    first_third: float
    last_third: float

    @property
    def growth(self) -> float:
        """From the first third's median to the last third's: what a leak would show in."""
        return self.last_third - self.first_third

    def raw(self) -> dict[str, float]:
        """For the JSON file."""
        return {**asdict(self), "growth": self.growth}


class Sampler:
    """Samples processes from a thread of its own, every 0.2 s, between start and stop.

    Args:
        processes: By name. A process that ends is left out from then on.
    """

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = dict(processes)
        self._samples: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def within(self, name: str, began: float, ended: float) -> Memory | None:
        """A process's memory between two times of ``time.perf_counter``; None without samples there."""
        values = [mib for at, mib in self._samples[name] if began <= at <= ended]
        if not values:
            return None
        third = max(1, len(values) // 3)
        return Memory(
            samples=len(values),
            start=values[0],
            peak=max(values),
            end=values[-1],
            first_third=statistics.median(values[:third]),
            last_third=statistics.median(values[-third:]),
        )

    def series(self) -> dict[str, list[tuple[float, float]]]:
        """All samples by process: (time of ``time.perf_counter``, MiB)."""
        return {name: list(samples) for name, samples in self._samples.items()}

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            now = time.perf_counter()
            for name, process in self._processes.items():
                try:
                    self._samples[name].append((now, process.memory_info().rss / _MIB))
                except psutil.NoSuchProcess:
                    continue
