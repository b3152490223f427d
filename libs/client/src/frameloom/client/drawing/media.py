"""A video as it is to be seen: upright pictures with their times, and its sound packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from frameloom.client.errors import UsageError


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame.

    Attributes:
        frame: As it was decoded.
        time: Seconds from the start of the media, as result files count them.
    """

    frame: VideoFrame
    time: float


class Video:
    """An open video file; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Opens it.

        Raises:
            UsageError: It is no video, or no picture of it can be decoded.
        """
        self._path = path
        self._open()
        first = next(self._first(), None)
        self._container.close()
        if first is None:
            raise UsageError(f"No picture of {path} can be decoded: it is damaged or cut off")
        self._open()  # not a seek: that would pass over the first sound, which lies before zero
        self._turns = round(first.rotation / 90) % 4
        wide, high = first.width, first.height
        self.size = (high, wide) if self._turns % 2 else (wide, high)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    @property
    def seconds(self) -> float:
        """The length that the file tells; 0 if it tells none."""
        if self.stream.duration and self.stream.time_base:
            end = (self.stream.duration + (self.stream.start_time or 0)) * self.stream.time_base
            return max(0.0, float(end) - self.start)
        return self._container.duration / av.time_base if self._container.duration else 0.0

    @property
    def rate(self) -> Fraction:
        """Pictures a second, on average."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return Fraction(rate) if rate and 0 < rate <= 1000 else Fraction(25)

    @property
    def time_base(self) -> Fraction:
        """The unit of its time stamps."""
        return Fraction(self.stream.time_base or Fraction(1, 90_000))

    def everything(self) -> Iterator[Picture | Packet[Any]]:
        """All pictures in order, and between them the packets of its sound; damaged ones are passed over."""
        number = 0
        for packet in self._packets(self.stream, *self.sounds):
            if packet.stream is not self.stream:
                yield packet
                continue
            for frame in self._decoded(packet):
                yield Picture(frame, self._time_of(frame, number))
                number += 1

    def at(self, times: list[float]) -> Iterator[Picture]:
        """The picture to be seen at each of these times, which rise; the file is decoded only around them."""
        for time in times:
            if (found := self._seen_at(time)) is not None:
                yield found

    def upright(self, frame: VideoFrame, size: tuple[int, int]) -> Image.Image:
        """A frame as it is to be seen, in this size."""
        wide, high = size if self._turns % 2 == 0 else size[::-1]
        if wide % 2 or high % 2:  # the scaler drops the last column of what it can not halve
            turned = np.rot90(frame.to_ndarray(format="rgb24"), self._turns)
            shown = Image.fromarray(np.ascontiguousarray(turned))
            return shown if shown.size == size else shown.resize(size, Image.Resampling.BILINEAR)
        small = frame.reformat(width=wide, height=high, format="rgb24", interpolation="BILINEAR")
        return Image.fromarray(np.ascontiguousarray(np.rot90(small.to_ndarray(), self._turns)))

    def _open(self) -> None:
        try:
            self._container: InputContainer = av.open(
                f"file:{self._path.absolute()}", metadata_errors="replace"
            )
        except (OSError, av.FFmpegError, ValueError) as error:
            raise UsageError(f"{self._path} is no video that can be read: {error}") from error
        self.stream = self._picture_stream()
        self.stream.thread_type = "AUTO"
        self.start = (self._container.start_time or 0) / av.time_base
        self.sounds: list[AudioStream] = [
            sound for sound in self._container.streams.audio if sound.codec_context is not None
        ]
        self.damaged = 0

    def _picture_stream(self) -> VideoStream:
        stream = self._container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            what = "only sound" if self._container.streams.audio else "no picture"
            self._container.close()
            raise UsageError(f"{self._path} has no picture to draw on: there is {what} in it")
        return stream

    def _first(self) -> Iterator[VideoFrame]:
        for packet in self._packets(self.stream):
            yield from self._decoded(packet)

    def _packets(self, *streams: VideoStream | AudioStream) -> Iterator[Packet[Any]]:
        try:
            yield from self._container.demux(*streams)
        except av.FFmpegError:
            self.damaged += 1  # cut off: what came until then is shown

    def _decoded(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _time_of(self, frame: VideoFrame, number: int) -> float:
        if frame.pts is None or frame.time_base is None:
            return float(number / self.rate)
        return float(frame.pts * frame.time_base) - self.start

    def _seen_at(self, time: float) -> Picture | None:
        place = int((time + self.start) / self.time_base)
        try:
            self._container.seek(max(0, place), stream=self.stream, backward=True)
        except av.FFmpegError:
            self._container.seek(0)
        found = None
        for packet in self._packets(self.stream):
            for frame in self._decoded(packet):
                shown = Picture(frame, self._time_of(frame, 0))
                if shown.time > time + 1e-3 and found is not None:
                    return found
                found = shown
                if shown.time >= time:
                    return found
        return found
