"""Cuts a video into short ones that DALI can be fed with, and tells the time of each picture in them.

DALI reads a whole file from memory and says nothing of times. So PyAV reads the packets, which costs no
decoding, and packs those of some seconds into a small file of their own, from one key frame to another. That
bounds memory whatever the file's length, makes every container look the same to DALI, lets stretches that
nobody wants be left out, and the times are exactly those that PyAV's own decoding gives.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import DecoderGaveUpError, FrameRequest
from frameloom.worker.frames.completeness import Reach, check_complete
from frameloom.worker.frames.dali.packets import pictures
from frameloom.worker.frames.sampling import JumpPlanner, Sampler
from frameloom.worker.media.containers import (
    go_to_key_frame,
    open_container,
    start_seconds,
    video_stream,
)
from frameloom.worker.media.spans import Span

CHUNK_PICTURES = 256
"""A chunk ends at the first possible place after so many pictures."""
_CHUNK_BYTES_LIMIT = 256 * 1024 * 1024

_FORMATS = {"mjpeg": "mov", "vp8": "matroska"}
_OPTIONS = {"mp4": {"use_editlist": "0"}, "mov": {"use_editlist": "0"}}

_STEP = Fraction(1, 25)
"""Seconds between two pictures of a chunk; any will do."""

_Packet: TypeAlias = "Packet[VideoStream]"


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a picture before it is decoded.

    Attributes:
        time: Seconds from the start of the media.
        number: Index in the whole video.
        key: It is coded on its own.
        hidden: An edit list leaves it out.
    """

    time: float
    number: int
    key: bool
    hidden: bool


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A stretch of the video.

    Attributes:
        data: A small video file, ``uint8 [N]``.
        pictures: What is in it, in order of presentation.
    """

    data: npt.NDArray[np.uint8]
    pictures: tuple[Picture, ...]


class Chunks:
    """Iterate once, then close.

    Args:
        path: The file.
        requests: What is wanted of it.
        media: Result of ``probe``.
        codec: FFmpeg's name of the codec.
        hidden_too: The decoder copes with pictures that are not to be shown.
        span: The part that is wanted; None: all.

    Raises:
        TaskError: The file can not be opened.
    """

    def __init__(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        codec: str,
        *,
        hidden_too: bool,
        span: Span | None = None,
    ) -> None:
        self._path = path
        self._media = media
        self._codec = codec
        self._hidden_too = hidden_too
        self._container = open_container(path)
        self._stream = video_stream(self._container)
        self._start = start_seconds(self._container)
        samplings = [request.sampling for request in requests]
        before = span.before if span else None
        self._samplers = [Sampler(sampling, before) for sampling in samplings]
        self._only_keys = all(sampling.kind == "key" for sampling in samplings)
        sparse = JumpPlanner.for_samplings(samplings).enabled
        self._skips = sparse or self._only_keys
        self._least = 1 if sparse else CHUNK_PICTURES
        self._first = span.first_frame if span else 0
        self._begin = span.begin if span else 0.0
        self._until = span.until if span else None
        self._reach = Reach(before=self._first)
        if self._begin and not go_to_key_frame(self._container, self._stream, self._begin):
            self._container.close()
            raise DecoderGaveUpError("the container can not be sought in")

    @property
    def pictures(self) -> int:
        """Pictures that were passed so far, wanted or not."""
        return self._reach.frames

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def __iter__(self) -> Iterator[Chunk]:
        """Yields the stretches in which somebody wants a picture.

        Raises:
            DecoderGaveUpError: There is something in the file that DALI would stumble over.
            TaskError: ``decode_error`` when the video stops before the end that its container promises.
        """
        for packets in self._joined():
            chosen = [one for one in packets if one.is_keyframe] if self._only_keys else packets
            found = self._pictures(chosen)
            wanted = [self._wanted(one) for one in found if not one.hidden]
            if any(wanted):
                yield Chunk(self._packed(chosen), found)
        if self._until is None or self._reach.frames_end < self._until:
            check_complete(self._path, self._container, self._stream, self._reach, by_packets=self._skips)

    def _wanted(self, picture: Picture) -> bool:
        answers = [sampler.wants(picture.time, key=picture.key) for sampler in self._samplers]
        return any(answers)  # not before each sampler has seen the picture

    def _joined(self) -> Iterator[list[_Packet]]:
        """Packets from one place where the video can be cut to another, enough of them."""
        chunk: list[_Packet] = []
        latest, size = 0, 0
        for group in self._groups():
            first, last = _pts(group[0]), max(map(_pts, group))
            closed = first == min(map(_pts, group)) and (not chunk or first > latest)
            if not closed and not chunk and not all(one.is_discard for one in group if _pts(one) < first):
                raise DecoderGaveUpError("the video begins with pictures that need what comes before it")
            if closed and len(chunk) >= self._least:
                yield chunk
                chunk, size = [], 0
            latest = max(latest, last) if chunk else last
            chunk += group
            size += sum(packet.size for packet in group)
            if size > _CHUNK_BYTES_LIMIT:
                raise DecoderGaveUpError("there is no place to cut the video at for too long")
        if chunk:
            yield chunk

    def _groups(self) -> Iterator[list[_Packet]]:
        """Packets from one key frame to the next, in the order of decoding."""
        group: list[_Packet] = []
        for packet in self._packets():
            if packet.is_keyframe and group:
                yield group
                group = []
                if self._until is not None and self._seconds(packet) >= self._until:
                    return
            group.append(packet)
        if group:
            yield group

    def _packets(self) -> Iterator[_Packet]:
        beginning = True
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size or (beginning and self._early(packet)):
                    continue
                self._check(packet, beginning=beginning)
                beginning = False
                self._note(packet)
                yield packet
        except av.FFmpegError:
            self._reach.damaged += 1

    def _early(self, packet: _Packet) -> bool:
        """Whether it comes before the key frame that the wanted part begins with."""
        if not self._begin or packet.pts is None or packet.time_base is None:
            return False
        return not packet.is_keyframe or self._seconds(packet) < self._begin

    def _seconds(self, packet: _Packet) -> float:
        assert packet.time_base is not None
        return float(_pts(packet) * packet.time_base) - self._start

    def _check(self, packet: _Packet, *, beginning: bool) -> None:
        if packet.pts is None or packet.time_base is None:
            raise DecoderGaveUpError("there are pictures without a time")
        if packet.is_corrupt:
            raise DecoderGaveUpError("there is a damaged packet")
        if packet.has_sidedata("new_extradata"):
            raise DecoderGaveUpError("the parameters of the codec change on the way")
        if beginning and not packet.is_keyframe:
            raise DecoderGaveUpError("the video does not begin with a key frame")
        if self._only_keys and packet.is_discard:
            raise DecoderGaveUpError("an edit list hides a part of the video, maybe the first key frame")
        coded, shown = pictures(self._codec, memoryview(packet))
        if shown != 1 or (coded != 1 and not self._hidden_too):
            raise DecoderGaveUpError("there are pictures that are decoded but not shown")

    def _note(self, packet: _Packet) -> None:
        self._reach.packets += 1
        end = _pts(packet) + (packet.duration or 0)
        assert packet.time_base is not None
        self._reach.packets_end = max(self._reach.packets_end, float(end * packet.time_base) - self._start)

    def _pictures(self, packets: Sequence[_Packet]) -> tuple[Picture, ...]:
        found = []
        for packet in sorted(packets, key=_pts):
            late = self._until is not None and self._seconds(packet) >= self._until
            hidden = packet.is_discard or late
            time = self._time(packet, hidden=hidden)
            counted = self._first + self._reach.frames - 1
            number = round(time * self._media.fps) if self._skips else counted
            found.append(Picture(time, number, packet.is_keyframe, hidden))
        return tuple(found)

    def _time(self, packet: _Packet, *, hidden: bool) -> float:
        """Reckoned as PyAV's frames are, so that it is the same to the last bit."""
        assert packet.time_base is not None
        time = max(float(_pts(packet) * packet.time_base) - self._start, self._reach.last_frame, 0.0)
        if not hidden:
            self._reach.frames += 1
            self._reach.last_frame = time
            length = float(packet.duration * packet.time_base) if packet.duration else 1.0 / self._media.fps
            self._reach.frames_end = max(self._reach.frames_end, time + length)
        return time

    def _packed(self, packets: Sequence[_Packet]) -> npt.NDArray[np.uint8]:
        """A file of these packets; times in it only tell the order, as evenly as can be."""
        name = _FORMATS.get(self._codec, "mp4")
        ranks = {pts: rank for rank, pts in enumerate(sorted(map(_pts, packets)))}
        if len(ranks) < len(packets):
            raise DecoderGaveUpError("several pictures have the same time")
        order = [ranks[_pts(packet)] for packet in packets]
        delay = max(place - rank for place, rank in enumerate(order))
        sink = io.BytesIO()
        with av.open(sink, "w", format=name, options=_OPTIONS.get(name, {})) as container:
            stream = container.add_stream_from_template(self._stream, opaque=True)
            for place, (packet, rank) in enumerate(zip(packets, order, strict=True)):
                packet.stream = stream
                packet.time_base, packet.duration = _STEP, 1
                packet.dts, packet.pts = place, rank + delay
                container.mux(packet)
        return np.frombuffer(sink.getbuffer(), np.uint8)


def _pts(packet: _Packet) -> int:
    assert packet.pts is not None
    return packet.pts
