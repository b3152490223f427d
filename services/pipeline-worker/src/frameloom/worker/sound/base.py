"""The sound port: what a pipeline asks for and what it gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from frameloom.worker.media.spans import Span

SPEECH_RATE_HZ = 16_000
"""What every speech and audio-event model here was trained on."""


@dataclass(frozen=True, slots=True)
class SoundRequest:
    """What a pipeline needs.

    Attributes:
        rate_hz: Samples per second.
        block_seconds: Length of a block; the last one is shorter.
    """

    rate_hz: int = SPEECH_RATE_HZ
    block_seconds: float = 10.0

    @property
    def block_samples(self) -> int:
        """Samples in a full block."""
        return max(1, round(self.block_seconds * self.rate_hz))


@dataclass(frozen=True, slots=True, eq=False)
class SoundBlock:
    """A piece of the sound.

    Blocks follow each other without gap or overlap: where the file has no sound for a while, there is
    silence, so a sample's place tells its time.

    Attributes:
        samples: ``float32 [N]``, mono, between -1 and 1; owned by the block.
        start_seconds: Time of the first sample from the start of the media.
        rate_hz: Samples per second.
    """

    samples: npt.NDArray[np.float32]
    start_seconds: float
    rate_hz: int

    @property
    def end_seconds(self) -> float:
        """Time right after the last sample."""
        return self.start_seconds + len(self.samples) / self.rate_hz

    def __len__(self) -> int:
        return int(self.samples.shape[0])


class SoundSource(Protocol):
    """An open sound track. Iterate once, then close (or use it as a context manager).

    Iteration raises ``TaskError`` with ``decode_error`` when the sound stops being readable.
    """

    @property
    def backend(self) -> str:
        """Name and version of the decoder, for provenance."""

    def __iter__(self) -> Iterator[SoundBlock]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Frees the decoder; harmless when repeated."""


def open_sound(path: str | Path, request: SoundRequest, span: Span | None = None) -> SoundSource:
    """Opens the sound of a local media file.

    Args:
        path: The file.
        request: How the sound is wanted.
        span: The part of it to hear, from ``span.heard_from`` to ``span.until``; None: all of it.

    Raises:
        TaskError: The file can not be opened, or has no sound (``parse_error``).
    """
    from frameloom.worker.sound.pyav import PyAVSound  # noqa: PLC0415 - the port itself needs no decoder

    return PyAVSound(Path(path), request, span)
