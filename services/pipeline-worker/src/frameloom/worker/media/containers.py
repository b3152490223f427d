"""Opens media files with PyAV, and turns FFmpeg's refusals into sentences.

Uploads are untrusted. FFmpeg guesses the format from the bytes, and some of its "formats" are
playlists or scripts that name further files and addresses (HLS, DASH, concat, SDP). So nothing is left
to guess: the first bytes decide the demuxer, as they did when the gateway let the upload in, only the
codecs that it lets in are opened, and the protocols are limited to local files.
"""

from __future__ import annotations

from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from frameloom.common.documents.task import FailureCategory
from frameloom.common.media.formats import DECODER_MAX_PIXELS, DEMUXERS, codec_whitelist, format_whitelist
from frameloom.common.media.sniffing import HEAD_BYTES, sniff
from frameloom.worker.errors import TaskError

_OPTIONS = {
    "format_whitelist": format_whitelist(),
    "codec_whitelist": codec_whitelist(),
    "protocol_whitelist": "file",
}

_STEPS_BACK = (0.0, 2.0, 15.0)
"""Seconds before a key frame to seek to, where the container does not find it by its own time."""
_MP4_FIRST_BOXES = (b"ftyp", b"mdat", b"moov", b"free", b"skip", b"wide")

_NO_VIDEO = (
    "The file is not a video that can be read: its content is none of the known container formats "
    "(MP4, MOV, MKV, WebM, AVI, MPEG-TS and others)."
)
_NO_INDEX = (
    "The file is an incomplete MP4/MOV: its index (the moov box) is missing. "
    "The upload or the recording was probably cut off before its end."
)


def open_container(path: str | Path) -> InputContainer:
    """Opens a local media file for reading.

    Args:
        path: The file.

    Returns:
        The container; the caller closes it.

    Raises:
        TaskError: ``input_missing``, ``parse_error``, or ``storage_error`` when the file exists but
            can not be read.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        raise TaskError(
            FailureCategory.INPUT_MISSING, "The media file does not exist where the worker looked for it."
        ) from None
    except OSError as error:
        raise TaskError(
            FailureCategory.STORAGE_ERROR, f"The media file can not be read: {error.strerror}."
        ) from error
    if size == 0:
        raise TaskError(FailureCategory.PARSE_ERROR, "The file is empty.")
    try:
        head = _head(file)
        kind = sniff(head)
        if kind is None:
            raise TaskError(FailureCategory.PARSE_ERROR, _NO_VIDEO)
        # The prefix keeps a colon in the name from being read as a protocol.
        return av.open(
            f"file:{file.absolute()}",
            mode="r",
            format=DEMUXERS[kind],
            options=dict(_OPTIONS),
            metadata_errors="replace",
        )
    except (PermissionError, IsADirectoryError) as error:
        raise TaskError(
            FailureCategory.STORAGE_ERROR, f"The media file can not be read: {error.strerror}."
        ) from error
    except (av.FFmpegError, ValueError) as error:
        sentence = _NO_INDEX if head[4:8] in _MP4_FIRST_BOXES else _NO_VIDEO
        raise TaskError(FailureCategory.PARSE_ERROR, sentence) from error


def video_stream(container: InputContainer) -> VideoStream:
    """The stream that a player would show; cover pictures of music files do not count.

    Raises:
        TaskError: ``parse_error`` without a video stream, ``decode_error`` when its codec is unknown.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        what = "only sound" if container.streams.audio else "no picture"
        raise TaskError(FailureCategory.PARSE_ERROR, f"The file has no video stream: there is {what} in it.")
    if stream.codec_context is None:
        raise TaskError(
            FailureCategory.DECODE_ERROR, "The video is of a codec that the worker can not decode."
        )
    stream.codec_context.options = {"max_pixels": str(DECODER_MAX_PIXELS)}
    return stream


def start_seconds(container: InputContainer) -> float:
    """Time stamp of the beginning of the media, which players count as zero."""
    return (container.start_time or 0) / av.time_base


def next_seconds(container: InputContainer, stream: VideoStream | AudioStream) -> float | None:
    """Time of the next packet of a stream that tells one; reads it. None: there is none."""
    for packet in container.demux(stream):
        if packet.pts is not None and packet.time_base is not None:
            return float(packet.pts * packet.time_base) - start_seconds(container)
    return None


def go_to_key_frame(container: InputContainer, stream: VideoStream, seconds: float) -> bool:
    """Places the reader at the key frame of this time, or before it where it can not be found.

    Returns:
        False: the container can not be sought in; where the reader stands is not known.
    """
    start = start_seconds(container)
    for back in _STEPS_BACK:
        target = round((max(0.0, seconds - back) + start) * av.time_base)
        try:
            container.seek(target)
            first = next_seconds(container, stream)
            if first is not None and first <= seconds:
                container.seek(target)
                return True
        except av.FFmpegError:
            continue
    return False


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(HEAD_BYTES)
