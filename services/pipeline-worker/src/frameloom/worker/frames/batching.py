"""From decoded frames to batches: each frame is converted once for all who want it in the same format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

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
from frameloom.worker.media.probe import quarter_turns

_FILTERS = {
    "fast_bilinear": Interpolation.FAST_BILINEAR,
    "bilinear": Interpolation.BILINEAR,
    "area": Interpolation.AREA,
}
_FORMATS = {"rgb": "rgb24", "bgr": "bgr24"}
_Pixels = npt.NDArray[np.uint8]


class _Format(NamedTuple):
    """How a frame is wanted; width and height are those of the upright picture."""

    width: int
    height: int
    colour: Colour
    scaling: Scaling


class Subscriptions:
    """The requests of one pass over a video; equal ones are one subscription.

    Args:
        requests: What is wanted.
        media: Result of ``probe``.
    """

    def __init__(self, requests: Sequence[FrameRequest], media: MediaInfo) -> None:
        places: dict[FrameRequest, list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(request, []).append(place)
        self._all = [_Subscription(request, media, tuple(found)) for request, found in places.items()]
        self._converters = {one.format: _Converter(one.format) for one in self._all}

    @property
    def due(self) -> float:
        """Time from which on the next frame is wanted by anybody, in seconds."""
        return min(one.sampler.due for one in self._all)

    def offer(self, frame: VideoFrame, timestamp: float, number: int) -> Iterator[Delivery]:
        """Takes the next frame, in order of presentation; gives the batches that it fills."""
        converted: dict[_Format, _Pixels] = {}
        for one in self._all:
            if not one.sampler.wants(timestamp, key=frame.key_frame):
                continue
            if (pixels := converted.get(one.format)) is None:
                pixels = converted[one.format] = self._converters[one.format].pixels(frame)
            one.add(pixels, timestamp, number)
            if one.full:
                yield one.take()

    def rest(self) -> Iterator[Delivery]:
        """The batches that are not full at the end."""
        for one in self._all:
            if len(one):
                yield one.take()


class _Converter:
    """Scales, converts and turns upright, in one step from the decoder's own pixel format."""

    def __init__(self, wanted: _Format) -> None:
        self._wanted = wanted
        # One for all frames: it keeps the tables of the scaler, which a frame's own method makes anew.
        self._reformatter = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> _Pixels:
        """``uint8 [height, width, 3]``, a view that keeps what it looks at alive."""
        wanted = self._wanted
        turns = quarter_turns(frame)
        width, height = (wanted.height, wanted.width) if turns % 2 else (wanted.width, wanted.height)
        image = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=_FORMATS[wanted.colour],
            interpolation=_FILTERS[wanted.scaling],
            threads=1,
        )
        pixels = _view(image, width, height)
        return np.rot90(pixels, turns) if turns else pixels


class _Subscription:
    """One request: when it wants a frame, and the batch that fills up for it."""

    def __init__(self, request: FrameRequest, media: MediaInfo, places: tuple[int, ...]) -> None:
        self.sampler = Sampler(request.sampling)
        self.format = _Format(*(request.size or (media.width, media.height)), request.colour, request.scaling)
        self._places = places
        frame_bytes = self.format.width * self.format.height * 3
        self._capacity = max(1, min(request.batch_size, BATCH_BYTES_LIMIT // frame_bytes))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        return self._count == self._capacity

    def add(self, pixels: _Pixels, timestamp: float, number: int) -> None:
        if not self._count:
            self._pixels = np.empty((self._capacity, self.format.height, self.format.width, 3), np.uint8)
            self._timestamps = np.empty(self._capacity, np.float64)
            self._numbers = np.empty(self._capacity, np.int64)
        self._pixels[self._count] = pixels
        self._timestamps[self._count] = timestamp
        self._numbers[self._count] = number
        self._count += 1

    def take(self) -> Delivery:
        n, self._count = self._count, 0
        self._pixels.flags.writeable = False
        batch = FrameBatch(self._pixels[:n], self._timestamps[:n], self._numbers[:n])
        del self._pixels, self._timestamps, self._numbers  # who got the batch decides how long it lives
        return Delivery(self._places, batch)


def _view(image: VideoFrame, width: int, height: int) -> _Pixels:
    """The pixels of a packed 24-bit frame, without a copy; lines of the plane are padded at the end."""
    plane = image.planes[0]
    lines: _Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[:height, : width * 3].reshape(height, width, 3)
