"""Tells what is in a media file, or in a sentence why it is of no use."""

from __future__ import annotations

import re
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import MediaInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.media.containers import open_container, start_seconds, video_stream

_FASTEST_FPS = 1000.0  # above this a container's "rate" is its time base, not its frame rate
_STAMPED_SELDOM = frozenset({"mpeg"})
"""FFmpeg takes the last time stamp for their length, and only one picture of each block of the file has one.
Of quiet H.264 a block holds dozens, so seconds would be missing at the end."""
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def probe(path: str | Path) -> MediaInfo:
    """Opens the file, decodes its first picture and reads the facts.

    Args:
        path: A local media file.

    Returns:
        Facts of the first video stream; width and height are those of the upright picture, in stored
        pixels (a pixel aspect ratio other than 1:1 is not applied).

    Raises:
        TaskError: ``input_missing``, ``storage_error``, ``parse_error`` (no media, empty, index missing,
            no video stream) or ``decode_error`` (no picture can be decoded).
    """
    with open_container(path) as container:
        stream = video_stream(container)
        first = first_picture(container, stream)
        rotation = quarter_turns(first) * 90
        duration = promised_end(container, stream)
        packets = stream.frames
        if duration is None or container.format.name in _STAMPED_SELDOM:
            duration, packets = _scan(path)
        fps = _rate(stream, packets, duration)
        # Packets without time stamps, as in a raw H.264 file, come at the nominal rate.
        duration = duration or packets / fps
        width, height = first.width, first.height
        if rotation % 180:
            width, height = height, width
        return MediaInfo(
            container=container.format.name,
            codec=stream.codec_context.name,
            width=width,
            height=height,
            fps=fps,
            duration_seconds=duration,
            frames_estimated=max(1, packets or round(duration * fps)),
            has_audio=bool(container.streams.audio),
            rotation_degrees=rotation,
        )


def quarter_turns(frame: VideoFrame) -> int:
    """How many times the stored picture must be turned by 90 degrees, counter-clockwise: 0 to 3."""
    return round(frame.rotation / 90) % 4


def promised_end(container: InputContainer, stream: VideoStream) -> float | None:
    """Where the video ends by what the container says, in seconds from the start of the media.

    The stream's own length is preferred: the container's is that of its longest stream.
    """
    own = stream_end(container, stream)
    if own is not None:
        return own
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def promise_is_of_stream(container: InputContainer, stream: VideoStream) -> bool:
    """Whether :func:`promised_end` is about the video itself, not the longest stream of the file."""
    return stream_end(container, stream) is not None


def stream_end(container: InputContainer, stream: VideoStream | AudioStream) -> float | None:
    """Where a stream ends by what the container says of it, in seconds; None if it says nothing."""
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - start_seconds(
            container
        )
    clock = _CLOCK.match(stream.metadata.get("DURATION", ""))  # Matroska has it as a tag of the track
    if clock is None:
        return None
    hours, minutes, seconds = clock.groups()
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) or None


def first_picture(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """Decodes until a picture comes; damaged packets before it are passed over."""
    failure: Exception | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            failure = error
            continue
        if frames:
            return frames[0]
    raise TaskError(
        FailureCategory.DECODE_ERROR,
        f"No picture of the video can be decoded (codec {stream.codec_context.name}): "
        "the file is damaged or cut off.",
    ) from failure


def _scan(path: str | Path) -> tuple[float, int]:
    """Length and number of packets of a file that does not tell them, as live recordings do.

    Reads the file once, without decoding. Packets without a time stamp follow the one before.
    """
    end, packets = 0.0, 0
    clock = _DecodingClock()
    with open_container(path) as container:
        stream = video_stream(container)
        start = start_seconds(container)
        for packet in container.demux(stream):
            if packet.size:
                packets += 1
                clock.saw(packet)
            if packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
    return max(end, clock.end(start)), packets


class _DecodingClock:
    """Counts time on in decoding order, in which it passes as it does in order of presentation."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._began = 0.0
        self._now = 0.0
        self._missing = False

    def saw(self, packet: Packet[VideoStream]) -> None:
        """Takes the next packet."""
        base = float(packet.time_base or 0)
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            self._missing = True
        elif self._first is None:
            self._first, self._now = stamp * base, 0.0
            self._began = (packet.pts if packet.pts is not None else stamp) * base
        else:
            self._now = max(self._now, stamp * base - self._first)
        self._now += (packet.duration or 0) * base

    def end(self, start: float) -> float:
        """Where the last packet ends; 0 where all have stamps, which tell more."""
        return self._began - start + self._now if self._missing and self._first is not None else 0.0


def _rate(stream: VideoStream, packets: int, duration: float) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= _FASTEST_FPS:
            return float(rate)
    return packets / duration if packets and duration > 0 else 25.0
