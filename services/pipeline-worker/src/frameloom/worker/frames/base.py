"""The frame port: what a pipeline asks for, what it gets, and how a decoder is chosen.

A pipeline never opens a file. It states a :class:`FrameRequest`, and is given batches. Several pipelines that
look at one video share its decoding: :func:`open_shared` answers all their requests in one pass.
:func:`open_frames` is the same for one. Which decoder stands behind it is chosen per file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.batch import FrameBatch
from frameloom.worker.frames.refusals import DecoderGaveUpError, Refusal

__all__ = [
    "BACKENDS",
    "BATCH_BYTES_LIMIT",
    "Backend",
    "Colour",
    "DecoderGaveUpError",
    "Delivery",
    "FrameBatch",
    "FrameRequest",
    "FrameSource",
    "Refusal",
    "Sampling",
    "Scaling",
    "SharedFrames",
    "fit",
    "open_frames",
    "open_shared",
]

if TYPE_CHECKING:
    from frameloom.worker.media.spans import Span

Colour = Literal["rgb", "bgr"]
Scaling = Literal["fast_bilinear", "bilinear", "area"]

BATCH_BYTES_LIMIT = 64 * 1024 * 1024
"""A batch never holds more pixels than this, whatever was asked for: 4K frames come in small batches."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are wanted. Use one of the three constructors."""

    kind: Literal["every", "rate", "key"]
    rate: float = 0.0

    @classmethod
    def every_frame(cls) -> Self:
        """Each frame of the video."""
        return cls("every")

    @classmethod
    def per_second(cls, rate: float) -> Self:
        """The first frame at or after each multiple of ``1/rate`` seconds; at most every frame.

        Raises:
            ValueError: The rate is not above zero.
        """
        if not rate > 0:
            raise ValueError(f"a sampling rate must be above zero, not {rate}")
        return cls("rate", float(rate))

    @classmethod
    def key_frames(cls) -> Self:
        """Only frames that are coded on their own: several times faster than decoding all."""
        return cls("key")


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """What a pipeline needs.

    Attributes:
        sampling: Which frames.
        size: Width and height of the upright picture in pixels; None for the video's own.
        colour: Order of the three channels.
        batch_size: Frames per batch, at most; the last one is shorter.
        scaling: Filter of the resize: ``area`` averages, so that small things survive;
            ``fast_bilinear`` is cheapest, but coarse, and up to half a pixel beside.
    """

    sampling: Sampling
    size: tuple[int, int] | None = None
    colour: Colour = "bgr"
    batch_size: int = 16
    scaling: Scaling = "bilinear"


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A batch, and whom it is for.

    Attributes:
        places: Of the requests that it answers, in the order in which they were given. Requests that are
            equal get the same batches.
        batch: The frames.
    """

    places: tuple[int, ...]
    batch: FrameBatch


class SharedFrames(Protocol):
    """A video that is being decoded once, for one or more requests.

    Iterate once, then close (or use it as a context manager). Iteration raises ``TaskError`` with
    ``decode_error`` when the video stops being readable; what could be read was delivered before.
    """

    @property
    def backend(self) -> str:
        """Name and version of the decoder, for provenance: ``pyav 18.1.0 (libavcodec 62.28)``."""

    @property
    def device(self) -> str:
        """Where the pixels lie: ``cpu`` or ``cuda:0``."""

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder has delivered so far, wanted or not."""

    def __iter__(self) -> Iterator[Delivery]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Frees the decoder; harmless when repeated."""


class FrameSource:
    """A video that is being decoded for one request. Iterate once, then close, as :class:`SharedFrames`."""

    def __init__(self, shared: SharedFrames) -> None:
        self._shared = shared

    @property
    def backend(self) -> str:
        """Name and version of the decoder."""
        return self._shared.backend

    @property
    def device(self) -> str:
        """Where the pixels lie."""
        return self._shared.device

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder has delivered so far, wanted or not."""
        return self._shared.frames_decoded

    def __iter__(self) -> Iterator[FrameBatch]:
        """Yields batches until the end of the video."""
        for delivery in self._shared:
            yield delivery.batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder; harmless when repeated."""
        self._shared.close()


class Backend(Protocol):
    """A decoder module: it is imported when first used, so that an unused one costs nothing."""

    def refusal(
        self, path: Path, media: MediaInfo, requests: Sequence[FrameRequest], *, asked: bool
    ) -> Refusal | None:
        """Why it does not decode this very file on this machine; None if it does. Must be cheap.

        Args:
            path: The file.
            media: What probing found.
            requests: What is wanted.
            asked: The operator or the caller named this decoder; else it should take only what it does best.
        """

    def open(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        *,
        threads: int | None,
        span: Span | None = None,
    ) -> SharedFrames:
        """Opens the file.

        Raises:
            DecoderGaveUpError: It turns out that it can not; here or on the way.
        """


BACKENDS: Mapping[str, str] = {
    "dali": "frameloom.worker.frames.dali",
    "pyav": "frameloom.worker.frames.pyav",
}
"""Module of each decoder, in order of preference; each has an object ``BACKEND``. GPU decoders go first."""


def open_frames(
    path: str | Path,
    request: FrameRequest,
    *,
    media: MediaInfo | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> FrameSource:
    """Opens a video for one request; see :func:`open_shared`."""
    return FrameSource(open_shared(path, (request,), media=media, backend=backend, threads=threads))


def open_shared(
    path: str | Path,
    requests: Sequence[FrameRequest],
    *,
    media: MediaInfo | None = None,
    backend: str = "auto",
    threads: int | None = None,
    span: Span | None = None,
) -> SharedFrames:
    """Opens a video with the best decoder for it, to answer all requests in one pass.

    The choice is per file, not per host: hardware decoders refuse some codecs and pixel formats. Work is
    skipped only where no request needs it: frames that one of them wants are decoded for all.

    Args:
        path: A local media file.
        requests: What is wanted of it, at least one.
        media: Result of ``probe``, if it is known already.
        backend: A name of ``BACKENDS``, or ``auto`` for what the operator set, else the first that takes the
            file. With ``auto`` another decoder takes over when the chosen one gives up.
        threads: Decoding threads. None goes by the worker's slots: a lone one uses the machine, and with as
            many slots as cores each file has one thread, which is faster in all.
        span: The part of the video to show; None: all of it.

    Raises:
        TaskError: The file can not be opened (see ``probe``).
        ValueError: No request, no such backend, or it can not decode this file.
    """
    if not requests:
        raise ValueError("at least one request is needed")
    if media is None:
        from frameloom.worker.media.probe import probe  # noqa: PLC0415 - the port itself needs no decoder

        media = probe(path)
    from frameloom.worker.frames.choosing import choose  # noqa: PLC0415 - it needs what is defined here

    return choose(Path(path), requests, media, backend=backend, threads=threads, span=span)


def fit(media: MediaInfo, longest_side: int) -> tuple[int, int]:
    """Size of the picture when its longest side is brought down to ``longest_side``; never enlarged."""
    factor = min(1.0, longest_side / max(media.width, media.height))
    return max(1, round(media.width * factor)), max(1, round(media.height * factor))
