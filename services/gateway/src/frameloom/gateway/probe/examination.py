"""Opens media with FFmpeg and sees what they are. Runs in the child, on bytes of strangers."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.stream import Stream as AvStream
from av.video.stream import VideoStream

from frameloom.common.documents import MediaFacts
from frameloom.common.media.formats import codec_whitelist, format_whitelist
from frameloom.gateway.probe.boxes import Source, require_harmless
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits, Seen, Stream, judged, require_decoded_size

_BUFFER_BYTES = 64 * 1024
_ANALYSED_BYTES = 5_000_000
_PACKETS = 600
"""How many packets may be broken, or too early to be decoded, before the first frame."""
_CODECS = codec_whitelist()
_FORMATS = format_whitelist()
_MOV = "mov"


def examined(source: Source, size_bytes: int, demuxer: str, limits: ProbeLimits) -> MediaFacts:
    """What the media are.

    Args:
        source: The file.
        size_bytes: Of it.
        demuxer: The one that its first bytes call for.
        limits: How much is too much.

    Raises:
        Refused: They are not taken.
    """
    indexed = True
    if demuxer == _MOV:
        indexed = require_harmless(source, size_bytes, limits.read_bytes)
        source.seek(0)
    with _told(Reason.DAMAGED if indexed else Reason.NO_INDEX), _opened(source, demuxer) as container:
        seen = _seen(container, demuxer)
        if not indexed and seen.video is None and seen.audio is None:
            raise Refused(Reason.NO_INDEX)
        facts = judged(seen, limits)
        chosen = seen.video if seen.video is not None else seen.audio
        with _told(Reason.UNDECODABLE, codec=facts.video_codec or facts.audio_codec):
            _require_frame(container, container.streams[chosen or 0], limits)
    return facts


@contextmanager
def _told(reason: Reason, **facts: Any) -> Iterator[None]:
    """What FFmpeg's errors mean here."""
    try:
        yield
    except MemoryError as error:
        raise Refused(Reason.MEMORY) from error
    except (av.FFmpegError, ValueError, IndexError) as error:
        if getattr(error, "errno", None) == errno.ENOMEM:
            raise Refused(Reason.MEMORY) from error
        raise Refused(reason, **facts) from error


def _opened(source: Source, demuxer: str) -> InputContainer:
    options = {
        "format_whitelist": _FORMATS,
        "codec_whitelist": _CODECS,
        "protocol_whitelist": "",
        "probesize": str(_ANALYSED_BYTES),
        "threads": "1",
    }
    return av.open(
        source,
        mode="r",
        format=demuxer,
        options=options,
        metadata_errors="replace",
        buffer_size=_BUFFER_BYTES,
        io_open=_refuse_to_open,
    )


def _refuse_to_open(_: str, __: int, ___: dict[str, str]) -> NoReturn:
    raise Refused(Reason.INDIRECT, what="another file")


def _seen(container: InputContainer, demuxer: str) -> Seen:
    streams = [_stream(one) for one in container.streams]
    video, audio = container.streams.best("video"), container.streams.best("audio")
    return Seen(
        container=demuxer,
        seconds=container.duration / av.time_base if container.duration else None,
        streams=streams,
        video=None if video is None or streams[video.index].cover else video.index,
        audio=None if audio is None else audio.index,
    )


def _stream(stream: AvStream) -> Stream:
    context = stream.codec_context
    seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    told = Stream(
        kind=stream.type,
        codec=context.codec.canonical_name if context is not None else None,
        tag=context.codec_tag if context is not None else "",
        cover=bool(stream.disposition & Disposition.attached_pic),
        frames=stream.frames or 0,
        seconds=seconds,
    )
    if not isinstance(stream, VideoStream) or context is None:
        return told
    rate = stream.average_rate
    pixels = stream.codec_context.format
    return Stream(
        kind=told.kind,
        codec=told.codec,
        tag=told.tag,
        cover=told.cover,
        frames=told.frames,
        seconds=told.seconds,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        fps=float(rate) if rate else None,
        bit_depth=max((component.bits for component in pixels.components), default=0) if pixels else 0,
    )


def _require_frame(container: InputContainer, stream: AvStream, limits: ProbeLimits) -> None:
    """One picture, or one piece of sound, must come out."""
    assert isinstance(stream, VideoStream | AudioStream)
    stream.codec_context.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(limits.pixels)}
    failure: Exception | None = None
    for number, packet in enumerate(container.demux(stream)):
        if number >= _PACKETS:
            break
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if error.errno == errno.ENOMEM:
                raise
            failure = error
            continue
        if frames:
            if isinstance(stream, VideoStream):
                require_decoded_size(stream.codec_context.width, stream.codec_context.height, limits)
            return
    codec = stream.codec_context.codec.canonical_name
    raise Refused(Reason.UNDECODABLE, codec=codec) from failure
