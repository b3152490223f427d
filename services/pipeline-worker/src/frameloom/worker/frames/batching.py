"""From decoded frames to batches: each frame is converted once for all who want it in the same format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import (
    BATCH_BYTES_LIMIT,
    Colour,
    Delivery,
    FrameBatch,
    FrameRequest,
    Scaling,
)
from frameloom.worker.frames.sampling import Sampler


class Format(NamedTuple):
    """How a frame is wanted; width and height are those of the upright picture."""

    width: int
    height: int
    colour: Colour
    scaling: Scaling


Allocate = Callable[[tuple[int, ...]], Any]


def _in_memory(shape: tuple[int, ...]) -> Any:
    return np.empty(shape, np.uint8)


class Subscriptions:
    """The requests of one pass over a video; equal ones are one subscription.

    Args:
        requests: What is wanted.
        media: Result of ``probe``.
        allocate: Makes the memory of a batch from its shape, as an array or a tensor; None for main memory.
        before: Time of the frame before the first one that is offered; see ``Sampler``.
    """

    def __init__(
        self,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        *,
        allocate: Allocate | None = None,
        before: float | None = None,
    ) -> None:
        places: dict[FrameRequest, list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(request, []).append(place)
        make = allocate or _in_memory
        self._all = [
            _Subscription(request, media, tuple(found), make, before) for request, found in places.items()
        ]

    @property
    def formats(self) -> tuple[Format, ...]:
        """The forms in which frames are wanted, each once."""
        return tuple(dict.fromkeys(one.format for one in self._all))

    @property
    def due(self) -> float:
        """Time from which on the next frame is wanted by anybody, in seconds."""
        return min(one.sampler.due for one in self._all)

    def offer(
        self, pixels: Callable[[Format], Any], timestamp: float, number: int, *, key: bool
    ) -> Iterator[Delivery]:
        """Takes the next frame, in order of presentation; gives the batches that it fills.

        Args:
            pixels: Gives the frame in a format; called once at most for each, and only where it is wanted.
            timestamp: Seconds from the start of the media.
            number: Index in the whole video.
            key: It is a key frame.
        """
        converted: dict[Format, Any] = {}
        for one in self._all:
            if not one.sampler.wants(timestamp, key=key):
                continue
            if one.format not in converted:
                converted[one.format] = pixels(one.format)
            one.add(converted[one.format], timestamp, number)
            if one.full:
                yield one.take()

    def rest(self) -> Iterator[Delivery]:
        """The batches that are not full at the end."""
        for one in self._all:
            if len(one):
                yield one.take()


class _Subscription:
    """One request: when it wants a frame, and the batch that fills up for it."""

    def __init__(
        self,
        request: FrameRequest,
        media: MediaInfo,
        places: tuple[int, ...],
        allocate: Allocate,
        before: float | None,
    ) -> None:
        self._allocate = allocate
        self.sampler = Sampler(request.sampling, before)
        self.format = Format(*(request.size or (media.width, media.height)), request.colour, request.scaling)
        self._places = places
        frame_bytes = self.format.width * self.format.height * 3
        self._capacity = max(1, min(request.batch_size, BATCH_BYTES_LIMIT // frame_bytes))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        return self._count == self._capacity

    def add(self, pixels: Any, timestamp: float, number: int) -> None:
        if not self._count:
            self._pixels = self._allocate((self._capacity, self.format.height, self.format.width, 3))
            self._timestamps = np.empty(self._capacity, np.float64)
            self._numbers = np.empty(self._capacity, np.int64)
        self._pixels[self._count] = pixels
        self._timestamps[self._count] = timestamp
        self._numbers[self._count] = number
        self._count += 1

    def take(self) -> Delivery:
        n, self._count = self._count, 0
        if isinstance(self._pixels, np.ndarray):
            self._pixels.flags.writeable = False
        batch = FrameBatch(self._pixels[:n], self._timestamps[:n], self._numbers[:n])
        del self._pixels, self._timestamps, self._numbers  # who got the batch decides how long it lives
        return Delivery(self._places, batch)
