"""Tells what sound is in a media file, or in a sentence why there is none to be heard."""

from __future__ import annotations

from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import MediaInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.media.containers import open_container, start_seconds
from frameloom.worker.media.headers import counts_its_frames, wav_data_bytes
from frameloom.worker.media.probe import stream_end

_TRUE_TO_THEIR_INDEX = ("mov", "matroska", "flac")
"""Containers whose length of a stream is a fact. Others estimate it from the bit rate, or from their size."""


def sound_stream(container: InputContainer) -> AudioStream:
    """The sound track that a player would play.

    Raises:
        TaskError: ``parse_error`` without one, ``decode_error`` when its codec is unknown.
    """
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise TaskError(FailureCategory.PARSE_ERROR, "The file has no sound: there is only picture in it.")
    if stream.codec_context is None:
        raise TaskError(
            FailureCategory.DECODE_ERROR, "The sound is of a codec that the worker can not decode."
        )
    return stream


def promised_sound_end(path: Path, container: InputContainer, stream: AudioStream) -> float | None:
    """Where the sound ends by what the file says, in seconds; None where that is an estimate."""
    name = container.format.name
    if name == "wav":
        size, rate = wav_data_bytes(path), stream.codec_context.bit_rate
        return size * 8 / rate if size and rate else None
    if name.startswith(_TRUE_TO_THEIR_INDEX) or (name == "mp3" and counts_its_frames(path)):
        return stream_end(container, stream)
    return None


def probe_sound(path: str | Path) -> MediaInfo:
    """Opens the file, decodes its first sound and reads the facts.

    Args:
        path: A local media file.

    Returns:
        Facts of the sound; the picture is only told to be there or not.

    Raises:
        TaskError: ``input_missing``, ``storage_error``, ``parse_error`` (no media, no sound) or
            ``decode_error``.
    """
    with open_container(path) as container:
        stream = sound_stream(container)
        _first_sound(container, stream)
        end = stream_end(container, stream)
        if end is None and container.duration and container.duration > 0:
            end = container.duration / av.time_base
        return MediaInfo(
            container=container.format.name,
            codec=stream.codec_context.name,
            duration_seconds=end if end is not None else _scanned_end(path),
            has_audio=True,
            has_video=any(not s.disposition & Disposition.attached_pic for s in container.streams.video),
        )


def _first_sound(container: InputContainer, stream: AudioStream) -> AudioFrame:
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
        f"No sound of the file can be decoded (codec {stream.codec_context.name}): it is damaged or cut off.",
    ) from failure


def _scanned_end(path: str | Path) -> float:
    """Length of a sound whose container does not tell it: read once, without decoding."""
    end = 0.0
    with open_container(path) as container:
        stream = sound_stream(container)
        start = start_seconds(container)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
    return end
