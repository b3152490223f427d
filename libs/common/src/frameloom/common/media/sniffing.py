"""What the first bytes of a file tell of it."""

from __future__ import annotations

HEAD_BYTES = 4096
"""How many first bytes :func:`sniff` wants to see."""
_TS_PACKET = 188
_M2TS_PACKET = 192
_FTYP = b"ftyp"
_MAX_FTYP_BYTES = 4096
_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_PICTURES = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"),
    *(b"mif1", b"mif2", b"msf1", b"avif", b"avis"),
}
"""Brands of still pictures and bursts of them."""
_RIFF = {b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_PREFIXES = {
    b"\x00\x00\x01\xba": "video/mpeg",
    b"FLV\x01": "video/x-flv",
    b"fLaC": "audio/flac",
    b"OggS\x00": "application/ogg",
}
_EBML = b"\x1aE\xdf\xa3"
_EBML_HEADER_BYTES = 128


def sniff(head: bytes) -> str | None:
    """The media type of a file by its first bytes; None when it is none that we read.

    Args:
        head: The first ``HEAD_BYTES`` bytes, or all if there are fewer.
    """
    if head[4:8] == _FTYP or head[4:8] in _BOXES:
        return _iso(head)
    if head.startswith(_EBML):
        return _matroska(head)
    if head[:4] in {b"RIFF", b"RF64"}:
        return _RIFF.get(head[8:12])
    for prefix, kind in _PREFIXES.items():
        if head.startswith(prefix):
            return kind
    if _synced(head, 0, _TS_PACKET) or _synced(head, 4, _M2TS_PACKET):
        return "video/mp2t"
    return "audio/mpeg" if _id3(head) or _mpeg_audio(head) else None


def _iso(head: bytes) -> str | None:
    """MP4 and QuickTime: boxes of four bytes of length and four of name."""
    size = int.from_bytes(head[:4])
    if head[4:8] != _FTYP:
        return "video/quicktime" if size in {0, 1} or size >= 8 else None
    brand = head[8:12]
    if not 16 <= size <= _MAX_FTYP_BYTES or brand in _PICTURES:
        return None
    if brand == b"qt  ":
        return "video/quicktime"
    return "audio/mp4" if brand in {b"M4A ", b"M4B "} else "video/mp4"


def _matroska(head: bytes) -> str | None:
    """Other files of this structure have other document types."""
    start = head[:_EBML_HEADER_BYTES]
    if b"webm" in start:
        return "video/webm"
    return "video/x-matroska" if b"matroska" in start else None


def _id3(head: bytes) -> bool:
    """A tag before MPEG audio: version, and a length in four bytes of seven bits."""
    return head.startswith(b"ID3") and len(head) >= 10 and head[3] in {2, 3, 4} and max(head[6:10]) < 128


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
