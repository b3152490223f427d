"""What the first bytes of a file tell, and what is left of the name that a client gave it."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

HEAD_BYTES = 4096
"""How many first bytes :func:`sniff` wants to see."""
_NAME_CHARACTERS = 255
_FALLBACK_NAME = "video"
_SEPARATOR = re.compile(r"[\\/]")
_TS_PACKET = 188
_M2TS_PACKET = 192
_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_RIFF = {b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_PREFIXES = {
    b"\x00\x00\x01\xba": "video/mpeg",
    b"FLV\x01": "video/x-flv",
    b"fLaC": "audio/flac",
    b"OggS": "application/ogg",
    b"ID3": "audio/mpeg",
}
_EBML = b"\x1aE\xdf\xa3"


def sniff(head: bytes) -> str | None:
    """The media type of a file by its first bytes; None when it is none that we read.

    Args:
        head: The first ``HEAD_BYTES`` bytes, or all if there are fewer.
    """
    if head[4:8] in _BOXES:
        return _iso(head)
    if head.startswith(_EBML):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    for prefix, kind in _PREFIXES.items():
        if head.startswith(prefix):
            return kind
    if _synced(head, 0, _TS_PACKET) or _synced(head, 4, _M2TS_PACKET):
        return "video/mp2t"
    return "audio/mpeg" if _mpeg_audio(head) else None


def clean_filename(given: str | None) -> str:
    """The last component of a client's file name, printable and of bounded length: metadata, never a path."""
    name = _SEPARATOR.split(_decoded(given or ""))[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip()
    if name.strip(". ") == "":
        return _FALLBACK_NAME
    if len(name) <= _NAME_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 16:
        return name[:_NAME_CHARACTERS]
    return stem[: _NAME_CHARACTERS - len(extension) - 1] + dot + extension


def _decoded(name: str) -> str:
    """Browsers percent-encode quotes in the name, and some clients all that is not a letter."""
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name


def _iso(head: bytes) -> str:
    brand = head[8:12] if head[4:8] == b"ftyp" else b"qt  "
    if brand == b"qt  ":
        return "video/quicktime"
    return "audio/mp4" if brand in {b"M4A ", b"M4B "} else "video/mp4"


def _synced(head: bytes, start: int, packet: int) -> bool:
    """At least three packets in a row begin with the sync byte of MPEG transport streams."""
    places = range(start, min(len(head), start + packet * 5), packet)
    return len(places) >= 3 and all(head[place] == 0x47 for place in places)


def _mpeg_audio(head: bytes) -> bool:
    """A frame header of MPEG audio, layer II or III: eleven sync bits, then no reserved value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer in {1, 2} and bitrate not in {0, 15} and rate != 3
