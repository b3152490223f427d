"""A film: every picture of the video with what was found on it, its sound as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from frameloom.client.drawing.figures import Painter
from frameloom.client.drawing.findings import Findings
from frameloom.client.drawing.media import Picture, Video
from frameloom.client.drawing.palette import BACKGROUND, Fonts
from frameloom.client.drawing.timeline import strip

_COPIED = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "mp2"}
"""Sound that an MP4 file takes as it is, and players play."""
_BT709 = 1
Progress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class Look:
    """What to draw, and how large.

    Attributes:
        boxes: Boxes with names and points.
        captions: What is said.
        timeline: The strip below.
        width: Of the picture; None: as the video has it.
        font: A font file.
    """

    boxes: bool = True
    captions: bool = True
    timeline: bool = True
    width: int | None = None
    font: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What was written.

    Attributes:
        path: Where.
        frames: Pictures in it.
        seconds: Its length.
        size: Of its pictures.
        damaged: How many packets could not be decoded.
    """

    path: Path
    frames: int
    seconds: float
    size: tuple[int, int]
    damaged: int


def make_film(
    video: Path, findings: Findings, target: Path, look: Look, on_progress: Progress | None = None
) -> Made:
    """Writes an MP4 file with the times of the original; it gets its name when it is whole.

    Args:
        video: The original.
        findings: What to draw.
        target: Where to.
        look: How.
        on_progress: Called with seconds done and in all.

    Raises:
        UsageError: The video can not be read.
        OSError: The target can not be written.
    """
    scratch = target.with_name(f".{target.name}.{os.getpid()}.mp4")
    try:
        with Video(video) as source, av.open(str(scratch), "w", options={"movflags": "faststart"}) as out:
            made = _Film(source, findings, out, look).write(target, on_progress)
        scratch.replace(target)
        return made
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


class _Film:
    """One film under way."""

    def __init__(self, source: Video, findings: Findings, out: OutputContainer, look: Look) -> None:
        self._source = source
        self._findings = findings
        self._out = out
        self._look = look
        self._size = fitted(source.size, look.width)
        scale = (self._size[0] / source.size[0], self._size[1] / source.size[1])
        fonts = Fonts(look.font)
        self._painter = Painter.of(self._size, scale, fonts)
        self._strip = strip(findings, self._size, source.seconds, fonts) if look.timeline else None
        below = 0 if self._strip is None else self._strip.picture.height
        self._whole = (self._size[0] + self._size[0] % 2, self._size[1] + below)
        self._whole = (self._whole[0], self._whole[1] + self._whole[1] % 2)
        self._stream = self._new_stream()
        self._sounds = {sound.index: _Sound(sound, out, source.start) for sound in source.sounds}
        self._canvas = Image.new("RGB", self._whole, BACKGROUND)
        self._last = -1

    def write(self, target: Path, on_progress: Progress | None) -> Made:
        """All of it."""
        frames, reached = 0, 0.0
        for part in self._source.everything():
            if isinstance(part, Picture):
                self._out.mux(self._stream.encode(self._drawn(part)))
                frames, reached = frames + 1, part.time
                if on_progress is not None:
                    on_progress(reached, self._source.seconds)
            else:
                self._sounds[part.stream.index].take(part)
        self._out.mux(self._stream.encode(None))
        for sound in self._sounds.values():
            sound.close()
        return Made(target, frames, reached, self._whole, self._source.damaged)

    def _new_stream(self) -> VideoStream:
        options = {"crf": "20", "preset": "veryfast"}
        stream = self._out.add_stream("libx264", rate=self._source.rate, options=options)
        stream.width, stream.height = self._whole
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._source.time_base
        aspect = self._source.stream.sample_aspect_ratio
        if aspect and aspect != 1 and not self._look.width:
            stream.codec_context.sample_aspect_ratio = aspect
        context: Any = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1
        return stream

    def _drawn(self, part: Picture) -> VideoFrame:
        picture = self._source.upright(part.frame, self._size)
        if self._look.boxes:
            self._painter.boxes(picture, self._findings.boxes_at(part.time))
        if self._look.captions:
            self._painter.captions(picture, self._findings.cues_at(part.time))
        if picture.size != self._whole:
            self._canvas.paste(picture, (0, 0))
            if self._strip is not None:
                self._canvas.paste(self._strip.at(part.time), (0, self._size[1]))
            picture = self._canvas
        shown = VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
        frame = shown.reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.time_base = self._source.time_base
        # A player takes no two pictures of one time; damaged files have such.
        frame.pts = self._last = max(self._last + 1, round(part.time / self._source.time_base))
        return frame


class _Sound:
    """One of the video's sound tracks: copied where an MP4 file takes its codec, else made AAC."""

    def __init__(self, sound: AudioStream, out: OutputContainer, start: float) -> None:
        self._out = out
        self._start = start
        self._resampler: AudioResampler | None = None
        self._target: AudioStream
        if sound.codec_context.name in _COPIED or sound.codec_context.name.removesuffix("float") in _COPIED:
            self._target = out.add_stream_from_template(sound)
        else:
            rate = sound.codec_context.sample_rate
            layout = "mono" if sound.codec_context.channels == 1 else "stereo"
            self._target = out.add_stream("aac", rate=rate, layout=layout)
            self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)

    def take(self, packet: Packet[Any]) -> None:
        """A packet of it."""
        if self._resampler is None:
            if packet.dts is not None and packet.time_base is not None:
                shift = round(self._start / packet.time_base)
                packet.dts -= shift
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.stream = self._target
                self._out.mux(packet)
            return
        with suppress(av.FFmpegError):  # damaged sound is a gap
            for frame in packet.decode():
                if isinstance(frame, AudioFrame):
                    self._encode(frame)

    def close(self) -> None:
        """What the encoder still holds."""
        if self._resampler is not None:
            self._encode(None)
            self._out.mux(self._target.encode(None))

    def _encode(self, frame: AudioFrame | None) -> None:
        assert self._resampler is not None
        if frame is not None and frame.pts is not None and frame.time_base is not None:
            frame.pts -= round(self._start / frame.time_base)
        for made in self._resampler.resample(frame):
            self._out.mux(self._target.encode(made))


def fitted(size: tuple[int, int], width: int | None) -> tuple[int, int]:
    """The size at this width, the shape kept; even, so that no picture is cut. Without one, as it is."""
    if width is None:
        return size
    share = Fraction(width, size[0])
    return max(2, width - width % 2), max(2, round(size[1] * share / 2) * 2)
