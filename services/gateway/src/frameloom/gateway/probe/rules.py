"""What media may be like. Pure: decides on what was seen, before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frameloom.common.documents import MediaFacts
from frameloom.common.media.formats import AUDIO_CODECS, VIDEO_CODECS
from frameloom.gateway.probe.reasons import Reason, Refused

_FEW_FRAMES = 10
"""Of so few frames no rate can be told: one frame that is shown for a tick is not 90,000 frames a second."""


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """How much is too much.

    Attributes:
        duration_seconds: Longest media.
        pixels: Largest picture, width times height.
        fps: Highest frame rate.
        streams: Most streams of any kind.
        bit_depth: Bits of a colour component.
        read_bytes: How much of the file may be read to judge it; an index is read whole.
    """

    duration_seconds: float
    pixels: int
    fps: float
    streams: int
    bit_depth: int
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as the container describes it.

    Attributes:
        kind: ``video``, ``audio``, or anything else.
        codec: FFmpeg's name of the codec; None when it has no decoder for it.
        tag: The container's name of the codec.
        cover: A picture that belongs to music.
        width: In pixels, 0 for sound.
        height: Likewise.
        fps: Average frame rate, if the container tells one.
        frames: How many, if the container tells; 0: unknown.
        bit_depth: Of a colour component, 0 when unknown.
        seconds: How long it is, if known.
    """

    kind: str
    codec: str | None
    tag: str = ""
    cover: bool = False
    width: int = 0
    height: int = 0
    fps: float | None = None
    frames: int = 0
    bit_depth: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as it describes itself.

    Attributes:
        container: The demuxer.
        seconds: How long it says it is.
        streams: All of them.
        video: Index of the picture that a player would choose.
        audio: Index of the sound, likewise.
    """

    container: str
    seconds: float | None
    streams: Sequence[Stream]
    video: int | None = None
    audio: int | None = None


def judged(seen: Seen, limits: ProbeLimits) -> MediaFacts:
    """What the media are, as far as nothing has to be decoded for it.

    Raises:
        Refused: They are not taken.
    """
    if len(seen.streams) > limits.streams:
        raise Refused(Reason.STREAMS, limit=limits.streams)
    if not seen.streams:
        raise Refused(Reason.DAMAGED)
    picture = None if seen.video is None else seen.streams[seen.video]
    sound = None if seen.audio is None else seen.streams[seen.audio]
    if picture is None and sound is None:
        kinds = sorted({"cover picture" if s.cover else s.kind for s in seen.streams})
        raise Refused(Reason.NO_STREAM, kinds=kinds)
    for stream in seen.streams:
        _require_size(stream, limits)
    if picture is not None:
        _require_picture(picture, limits)
    elif sound is not None and sound.codec not in AUDIO_CODECS:
        raise Refused(Reason.CODEC, codec=sound.codec or sound.tag or "unknown", kind="sound")
    seconds = _seconds(seen, picture, sound)
    if seconds is not None and seconds > limits.duration_seconds:
        raise Refused(Reason.DURATION, seconds=round(seconds), limit=limits.duration_seconds)
    return MediaFacts(
        container=seen.container,
        duration_seconds=seconds,
        has_video=picture is not None,
        has_audio=sound is not None and sound.codec in AUDIO_CODECS,
        video_codec=picture.codec if picture else None,
        audio_codec=sound.codec if sound else None,
        width=picture.width or None if picture else None,
        height=picture.height or None if picture else None,
        fps=picture.fps if picture else None,
    )


def require_decoded_size(width: int, height: int, limits: ProbeLimits) -> None:
    """A stream may hold larger pictures than its container says.

    Raises:
        Refused: It does, and they are too large.
    """
    if width * height > limits.pixels:
        raise Refused(Reason.PIXELS, width=width, height=height, limit=limits.pixels)


def _require_size(stream: Stream, limits: ProbeLimits) -> None:
    """Of every picture: nobody knows what a pipeline will choose."""
    if stream.kind == "video":
        require_decoded_size(stream.width, stream.height, limits)


def _require_picture(picture: Stream, limits: ProbeLimits) -> None:
    if picture.codec not in VIDEO_CODECS:
        raise Refused(Reason.CODEC, codec=picture.codec or picture.tag or "unknown", kind="picture")
    if picture.bit_depth > limits.bit_depth:
        raise Refused(Reason.BIT_DEPTH, bits=picture.bit_depth, limit=limits.bit_depth)
    told = picture.fps if picture.fps is not None else 0.0
    if told > limits.fps and not 0 < picture.frames <= _FEW_FRAMES:
        raise Refused(Reason.FRAME_RATE, fps=round(told, 1), limit=limits.fps)


def _seconds(seen: Seen, picture: Stream | None, sound: Stream | None) -> float | None:
    """The container's word, else that of its streams; what is not above zero is no length."""
    told = [seen.seconds, *(stream.seconds for stream in (picture, sound) if stream is not None)]
    return next((seconds for seconds in told if seconds is not None and seconds > 0), None)
