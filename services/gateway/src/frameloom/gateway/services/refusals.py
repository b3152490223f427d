"""The sentences for what the probe refuses. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameloom.common.errors import FrameloomError
from frameloom.common.text import cut
from frameloom.gateway.errors import (
    IndirectMediaError,
    MediaDamagedError,
    MediaLimitError,
    NoMediaStreamError,
    ProbeFailedError,
    ProbeTimeoutError,
    UnsupportedCodecError,
)
from frameloom.gateway.probe.reasons import Reason, Refused

_Facts = dict[str, Any]
_TEXT_CHARACTERS = 80
_SEND_AGAIN = "Was the upload or the recording cut off? Play the file, and send it again."
_REWRITE = "Write it anew, for example with: ffmpeg -i FILE -c copy -map_metadata -1 new.mp4"
_CONVERT = "Convert it, for example to MP4 with H.264 and AAC."
_SMALLER = "Send less of it, or ask the operator to raise the limit."

_SENTENCES: dict[Reason, tuple[type[FrameloomError], Callable[[_Facts], str], str]] = {
    Reason.DAMAGED: (
        MediaDamagedError,
        lambda _: "begins like a media file, but can not be read: it is damaged or cut off",
        _SEND_AGAIN,
    ),
    Reason.NO_INDEX: (
        MediaDamagedError,
        lambda _: "is an incomplete MP4 or MOV: its index (the moov box) is missing, so it was cut off",
        _SEND_AGAIN,
    ),
    Reason.BAD_INDEX: (
        MediaDamagedError,
        lambda facts: f"has an index that makes no sense: {_word(facts, 'what')}",
        _REWRITE,
    ),
    Reason.COMPRESSED_INDEX: (
        MediaDamagedError,
        lambda _: "has a compressed index (a cmov box), which is not unpacked here",
        _REWRITE,
    ),
    Reason.INDIRECT: (
        IndirectMediaError,
        lambda facts: f"holds its media in other files ({_word(facts, 'what')}), which are never opened",
        "Save it as a self-contained file.",
    ),
    Reason.NO_STREAM: (
        NoMediaStreamError,
        lambda facts: f"has neither picture nor sound in it, but: {_word(facts, 'kinds') or 'nothing'}",
        "Send a video, or a sound file.",
    ),
    Reason.CODEC: (
        UnsupportedCodecError,
        lambda facts: f"has {_word(facts, 'kind')} of a codec that is not read here: {_word(facts, 'codec')}",
        _CONVERT,
    ),
    Reason.UNDECODABLE: (
        MediaDamagedError,
        lambda facts: f"can not be decoded: not one frame came out of it (codec {_word(facts, 'codec')})",
        _SEND_AGAIN,
    ),
    Reason.DURATION: (
        MediaLimitError,
        lambda facts: f"is {_word(facts, 'seconds')} s long; the limit is {_word(facts, 'limit')} s",
        _SMALLER,
    ),
    Reason.PIXELS: (
        MediaLimitError,
        lambda facts: (
            f"has pictures of {_word(facts, 'width')} x {_word(facts, 'height')}; "
            f"the limit is {_word(facts, 'limit')} pixels"
        ),
        "Scale it down, or ask the operator to raise the limit.",
    ),
    Reason.FRAME_RATE: (
        MediaLimitError,
        lambda facts: f"has {_word(facts, 'fps')} frames a second; the limit is {_word(facts, 'limit')}",
        _SMALLER,
    ),
    Reason.STREAMS: (
        MediaLimitError,
        lambda facts: f"has more than {_word(facts, 'limit')} streams",
        "Keep one picture and one sound, for example with: ffmpeg -i FILE -c copy new.mp4",
    ),
    Reason.BIT_DEPTH: (
        MediaLimitError,
        lambda facts: f"has {_word(facts, 'bits')} bits a colour; the limit is {_word(facts, 'limit')}",
        _CONVERT,
    ),
    Reason.READS: (
        MediaLimitError,
        lambda facts: f"can not be judged without reading more than {_word(facts, 'limit')} bytes of it",
        _REWRITE,
    ),
    Reason.MEMORY: (
        ProbeFailedError,
        lambda _: "takes more memory to open than a file may",
        _REWRITE,
    ),
    Reason.TIME: (
        ProbeTimeoutError,
        lambda _: "takes longer to open than a file may",
        _REWRITE,
    ),
    Reason.CRASHED: (
        ProbeFailedError,
        lambda _: "made the process that examined it fail",
        _REWRITE,
    ),
}


def refusal(refused: Refused, filename: str) -> FrameloomError:
    """The error that tells a user why this file is not taken."""
    kind, told, hint = _SENTENCES[refused.reason]
    detail = {"filename": filename, "reason": refused.reason.value}
    numbers = {name: value for name, value in refused.facts.items() if isinstance(value, int | float)}
    return kind(f"The file {cut(filename)} {told(refused.facts)}", hint=hint, detail={**detail, **numbers})


def _word(facts: _Facts, name: str) -> str:
    """A fact as it may stand in a sentence: it may come from the file itself."""
    value = facts.get(name, "?")
    if isinstance(value, float):
        return f"{value:g}"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return cut("".join(c for c in text if c.isprintable()), _TEXT_CHARACTERS)
