"""How many pictures a packet holds, told from its first bits: some codecs code pictures that are not shown.

FFmpeg's decoders keep such pictures to themselves. DALI's stream on the GPU hands out every picture that is
decoded (its source, ``frames_decoder_gpu.cc``, takes them from the parser's decode call), so that all later
ones would come with wrong times; and it expects one picture of each packet.
"""

from __future__ import annotations

from typing import NamedTuple


class Pictures(NamedTuple):
    """Pictures in a packet.

    Attributes:
        coded: That have to be decoded.
        shown: That are presented.
    """

    coded: int
    shown: int


_ONE = Pictures(1, 1)


def pictures(codec: str, data: bytes | memoryview) -> Pictures:
    """What is in a packet; one picture, for codecs that always have one."""
    if not len(data):
        return Pictures(0, 0)
    if codec == "vp8":
        return Pictures(1, data[0] >> 4 & 1)
    if codec == "vp9":
        return _vp9(data)
    if codec == "av1":
        return _av1(data)
    return _ONE


def _vp9(data: bytes | memoryview) -> Pictures:
    marker = data[-1]
    if marker & 0xE0 == 0xC0:  # a superframe: several pictures in one packet, of which one is shown
        return Pictures((marker & 7) + 1, 1)
    head = data[0]
    bits = head if head & 0x30 != 0x30 else head << 1  # profile 3 has one bit more before what follows
    if bits & 0x08:  # shows a picture that was decoded before
        return Pictures(0, 1)
    return Pictures(1, bits >> 1 & 1)


_OBU_FRAME_HEADER, _OBU_FRAME = 3, 6


def _av1(data: bytes | memoryview) -> Pictures:
    """Counts the frame headers. A packet of AV1 always shows exactly one picture, by its standard."""
    coded, at = 0, 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size, at = _leb128(data, at) if sized else (len(data) - at, at)
        if kind in {_OBU_FRAME_HEADER, _OBU_FRAME} and at < len(data):
            coded += not data[at] & 0x80  # else it shows a picture that was decoded before
        at += size
    return Pictures(coded, 1)


def _leb128(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    number = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return number, at
