"""Where a segment of a file really begins and ends: at key frames for pictures, at a time for sound.

Both neighbours of a border find the same place, because they look at the same file in the same way: so no
frame is lost between two segments, and none is doubled beyond the overlap.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from frameloom.common.documents.segments import Segment
from frameloom.worker.media.containers import open_container, start_seconds, video_stream

_GRID_SAMPLES = 8192
"""Sound begins at a multiple of this, which is one of what networks take at once: then a network that hears a
segment is given the very pieces that it would be given of the whole."""


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the media that a run sees; times in seconds from the start of the media.

    Attributes:
        index: Of the segment, from 0.
        count: How many segments there are.
        begin: Where its own part begins.
        end: Where that of the next one begins; None: at the end of the media.
        overlap: Pictures go on for so long after ``end``; sound also begins so long before ``begin``.
        first_frame: Number of the first frame.
        before: Time of the frame before that, which this run does not see.
        empty: Nothing begins here: the segment before goes on to the end.
    """

    index: int
    count: int
    begin: float
    end: float | None
    overlap: float
    first_frame: int = 0
    before: float | None = None
    empty: bool = False

    @property
    def until(self) -> float | None:
        """Where it stops to look or to listen; None: at the end of the media."""
        return None if self.end is None else self.end + self.overlap

    def heard_from(self, rate_hz: int) -> int:
        """The first sample that it hears."""
        first = max(0, int((self.begin - self.overlap) * rate_hz))
        return first // _GRID_SAMPLES * _GRID_SAMPLES

    def share(self, reached: float, media_seconds: float) -> float:
        """How much of it lies before a time, 0 to 1."""
        end = media_seconds if self.until is None else self.until
        return (reached - self.begin) / (end - self.begin) if end > self.begin else 0.0


def sound_span(segment: Segment) -> Span:
    """The span of a pipeline that listens: the nominal one."""
    return _span(segment, segment.begin_seconds, segment.end_seconds)


def frame_span(path: str | Path, segment: Segment) -> Span:
    """The span of a pipeline that looks: borders are the first key frames at or after the nominal ones.

    The packets before the segment's end are read, and none is decoded: about a second for an hour of video.

    Raises:
        TaskError: The file can not be opened, or has no video.
    """
    with open_container(path) as container:
        times, keys = _read(container, video_stream(container), segment.end_seconds)
    begin = _border(keys, segment.begin_seconds) if segment.index else 0.0
    end = None if segment.end_seconds is None else _border(keys, segment.end_seconds)
    if begin is None:
        return _span(segment, segment.begin_seconds, None, empty=True)
    if end == begin:  # no key frame in between: all of it is the next one's
        return _span(segment, begin, end, empty=True)
    stamps = np.frombuffer(times, np.float64)
    earlier = stamps[stamps < begin]
    before = float(earlier.max()) if segment.index and len(earlier) else None
    return _span(segment, begin, end, first_frame=len(earlier) if segment.index else 0, before=before)


def _span(
    segment: Segment,
    begin: float,
    end: float | None,
    *,
    first_frame: int = 0,
    before: float | None = None,
    empty: bool = False,
) -> Span:
    return Span(segment.index, segment.count, begin, end, segment.overlap_seconds, first_frame, before, empty)


def _read(
    container: InputContainer, stream: VideoStream, until: float | None
) -> tuple[array[float], list[float]]:
    """Times of the pictures, and of the key frames among them, up to the first key frame after a time."""
    start = start_seconds(container)
    times: array[float] = array("d")
    keys: list[float] = []
    try:
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if not packet.size or packet.is_discard or stamp is None or packet.time_base is None:
                continue
            time = float(stamp * packet.time_base) - start
            times.append(time)
            if packet.is_keyframe:
                keys.append(time)
                if until is not None and time >= until:
                    break
    except av.FFmpegError:
        pass  # how far the file can be read is found, and told, by whoever decodes it
    return times, keys


def _border(keys: list[float], nominal: float) -> float | None:
    return next((time for time in keys if time >= nominal), None)
