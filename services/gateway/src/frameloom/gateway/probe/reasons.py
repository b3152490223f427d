"""Why the probe refuses an upload: a word for each, as it travels from the child to the gateway."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """What is wrong with the media."""

    DAMAGED = "damaged"
    """The container can not be read."""
    NO_INDEX = "no_index"
    """An MP4 or MOV without its moov box: cut off."""
    BAD_INDEX = "bad_index"
    """The index of an MP4 or MOV contradicts itself, or is out of all proportion."""
    COMPRESSED_INDEX = "compressed_index"
    """A zipped index, which may unpack into anything."""
    INDIRECT = "indirect"
    """It names other files or addresses, instead of holding its media."""
    NO_STREAM = "no_stream"
    """Neither picture nor sound: subtitles, data, cover pictures."""
    CODEC = "codec"
    """The picture, or the sound of a file without one, is of a codec that is not read."""
    UNDECODABLE = "undecodable"
    """Not one frame can be decoded."""
    DURATION = "duration"
    PIXELS = "pixels"
    FRAME_RATE = "frame_rate"
    STREAMS = "streams"
    BIT_DEPTH = "bit_depth"
    READS = "reads"
    """It can not be judged without reading more of it than allowed."""
    MEMORY = "memory"
    TIME = "time"
    CRASHED = "crashed"


class Refused(Exception):  # noqa: N818 - an answer, no fault
    """The media are not taken.

    Attributes:
        reason: Why.
        facts: Numbers and names that belong to it; JSON types only.
    """

    def __init__(self, reason: Reason, **facts: Any) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.facts = facts
