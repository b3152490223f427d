"""What happens when the preferred decoder can not: another one takes over, and the reason is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import structlog

from frameloom.worker.frames.base import DecoderGaveUpError, Delivery, SharedFrames

logger = structlog.get_logger(__name__)


class Explained:
    """A decoder that is not the preferred one; its name says why."""

    def __init__(self, source: SharedFrames, reasons: str) -> None:
        self._source = source
        self._reasons = reasons

    @property
    def backend(self) -> str:
        """Name and version of the decoder, and why it is no other."""
        return f"{self._source.backend}; {self._reasons}"

    @property
    def device(self) -> str:
        """Where the pixels lie."""
        return self._source.device

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder has delivered so far, wanted or not."""
        return self._source.frames_decoded

    def __iter__(self) -> Iterator[Delivery]:
        yield from self._source

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder."""
        self._source.close()


class Rescued(Explained):
    """A decoder behind which another one stands: when it gives up, the other goes on where it was.

    The other one begins anew, and what was delivered already is passed over: both cut the same frames into
    the same batches.

    Args:
        name: Of the first decoder.
        source: The first decoder.
        other: Opens the second.
    """

    def __init__(self, name: str, source: SharedFrames, other: Callable[[], SharedFrames]) -> None:
        super().__init__(source, "")
        self._name = name
        self._other = other
        self._before = ""

    @property
    def backend(self) -> str:
        """Names of the decoders that were used."""
        return f"{self._before}{self._source.backend}{self._reasons}"

    def __iter__(self) -> Iterator[Delivery]:
        """Yields batches until the end of the video."""
        delivered: Counter[tuple[int, ...]] = Counter()
        reached = 0.0
        try:
            for delivery in self._source:
                delivered[delivery.places] += 1
                reached = float(delivery.batch.timestamps[-1])
                yield delivery
        except DecoderGaveUpError as error:
            reason = error.reason
        else:
            return
        logger.warning("frame_decoder_gave_up", decoder=self._name, reason=reason, seconds=round(reached, 3))
        self._source.close()
        if delivered:
            self._before = f"{self._source.backend}; from {reached:.3f} s on "
        self._reasons = f"; not {self._name}: {reason}"
        self._source = self._other()
        for delivery in self._source:
            if delivered[delivery.places]:
                delivered[delivery.places] -= 1
            else:
                yield delivery
