"""What the driver tells while something runs: how busy the decoders and the card are, and its memory."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import pynvml

_EVERY_SECONDS = 0.1


@dataclass
class Watched:
    """Samples; percent and bytes.

    Attributes:
        decoder: How busy NVDEC was.
        card: How busy the rest was.
        memory: In use on the card, by all.
    """

    decoder: list[int] = field(default_factory=list)
    card: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def figures(self) -> dict[str, float | None]:
        """Means, and the most memory."""
        return {
            "nvdec_percent": _mean(self.decoder),
            "gpu_percent": _mean(self.card),
            "gpu_memory_mib": max(self.memory) / 2**20 if self.memory else None,
        }


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None


class Card:
    """The first GPU that CUDA sees, or none; ``with card.watching() as watched`` samples it in a thread."""

    def __init__(self) -> None:
        self.handle: Any | None = None
        try:
            pynvml.nvmlInit()
            self.handle = _first()
        except pynvml.NVMLError:
            return

    def facts(self) -> dict[str, str | int] | None:
        """Name, memory and driver."""
        if self.handle is None:
            return None
        return {
            "name": str(pynvml.nvmlDeviceGetName(self.handle)),
            "memory_mib": int(pynvml.nvmlDeviceGetMemoryInfo(self.handle).total) // 2**20,
            "driver": str(pynvml.nvmlSystemGetDriverVersion()),
        }

    def memory(self) -> int:
        """Bytes in use on the card, by all."""
        return int(pynvml.nvmlDeviceGetMemoryInfo(self.handle).used) if self.handle is not None else 0

    def watching(self) -> _Watching:
        """A block in which the card is sampled."""
        return _Watching(self)


class _Watching:
    def __init__(self, card: Card) -> None:
        self._card = card
        self._over = threading.Event()
        self._watched = Watched()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watched:
        if self._card.handle is not None:
            self._thread.start()
        return self._watched

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        handle, watched = self._card.handle, self._watched
        while not self._over.wait(_EVERY_SECONDS):
            watched.memory.append(self._card.memory())
            try:
                watched.card.append(int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu))
                watched.decoder.append(int(pynvml.nvmlDeviceGetDecoderUtilization(handle)[0]))
            except pynvml.NVMLError:
                continue  # not every card tells it: not inside a MIG slice, for one


def _first() -> Any:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if visible.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(visible))
    return pynvml.nvmlDeviceGetHandleByUUID(visible)
