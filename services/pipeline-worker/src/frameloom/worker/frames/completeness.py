"""Whether a video was read to its end, judged by evidence.

FFmpeg is forgiving: a file cut in half often just ends, without any error. So what was read is held
against what the container promises, with slack for the usual looseness of the last frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import structlog
from av.container import InputContainer
from av.video.stream import VideoStream

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.errors import TaskError
from frameloom.worker.media.containers import open_container, start_seconds
from frameloom.worker.media.probe import promise_is_of_stream, promised_end

logger = structlog.get_logger(__name__)

_SLACK_SECONDS = 0.5
_SLACK_FRACTION = 0.01
_SLACK_LIMIT_SECONDS = 5.0
_READABLE_FRACTION = 0.5
_UNKNOWN_SIZES = {0, 2**32 - 1}
"""What a recording that was never ended has in its header."""


@dataclass(slots=True)
class Reach:
    """How far reading has come; times in seconds from the start of the media."""

    packets: int = 0
    packets_end: float = 0.0
    frames: int = 0
    frames_end: float = 0.0
    last_frame: float = 0.0
    position: float = 0.0
    damaged: int = 0
    """Packets, or reads, that failed."""
    before: int = 0
    """Packets that were passed over by beginning in the middle."""
    jumps: int = 0
    jumped_from: float | None = None
    """Set between a jump and the first packet after it."""


def check_complete(
    path: Path, container: InputContainer, stream: VideoStream, reach: Reach, *, by_packets: bool
) -> None:
    """Called at the end of the file.

    Args:
        path: The file, for a second look at streams other than the video.
        container: The open file.
        stream: Its video stream.
        reach: What was read.
        by_packets: Frames were skipped on purpose, so packets tell how far reading came.

    Raises:
        TaskError: ``decode_error``, saying how far the video could be read.
    """
    if not reach.frames:
        raise TaskError(
            FailureCategory.DECODE_ERROR, "No picture of the video can be decoded: the file is damaged."
        )
    if not by_packets and reach.damaged and reach.frames < reach.packets * _READABLE_FRACTION:
        raise TaskError(
            FailureCategory.DECODE_ERROR,
            f"Only {reach.frames} of {reach.packets} pictures of the video can be decoded: "
            "the file is damaged.",
        )
    promised = _avi_promise(path, container, stream) or promised_end(container, stream)
    reached = reach.packets_end if by_packets else reach.frames_end
    if promised is None or promised - reached <= _slack(promised):
        if reach.damaged:
            logger.warning("media_damaged_packets_skipped", count=reach.damaged)
        return
    if not by_packets and not reach.damaged and 0 < stream.frames <= reach.before + reach.packets:
        return  # every frame of the index was read: the last one merely stays on for long
    if not promise_is_of_stream(container, stream) and promised - _packets_end(path) <= _slack(promised):
        return  # the promise is kept by the sound, which goes on after the last picture
    if reach.jumps:
        reached = _packets_end(path, stream.index)  # a jump into what is missing tells nothing
    raise TaskError(
        FailureCategory.DECODE_ERROR,
        f"The video stops being readable at {reached:.1f} s of {promised:.1f} s: "
        "the file is damaged, or was cut off before its end.",
    )


def _avi_promise(path: Path, container: InputContainer, stream: VideoStream) -> float | None:
    """The length that the header of an AVI file says, if the file is shorter than the header says, too.

    FFmpeg corrects both by what it finds, so that half a file would pass for a whole one.
    """
    if container.format.name != "avi" or not stream.frames or not stream.time_base:
        return None
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    if size in _UNKNOWN_SIZES or path.stat().st_size >= size + 8:
        return None
    return float(stream.frames * stream.time_base)


def _slack(promised: float) -> float:
    return max(_SLACK_SECONDS, min(promised * _SLACK_FRACTION, _SLACK_LIMIT_SECONDS))


def _packets_end(path: Path, index: int | None = None) -> float:
    """Where the last packet ends, of one stream or of all; reads the file without decoding."""
    end = 0.0
    with open_container(path) as container:
        start = start_seconds(container)
        try:
            for packet in container.demux() if index is None else container.demux(container.streams[index]):
                if packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
        except av.FFmpegError:
            pass
    return end
