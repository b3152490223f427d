"""What the headers of sound files promise, where FFmpeg gives an estimate or what is left of the file."""

from __future__ import annotations

import struct
from pathlib import Path

_ID3_HEAD = 10
_FIRST_FRAME = 4096
_TOLD_WHEN_UNKNOWN = 0x7FFF_F000
"""Recorders that write to a pipe claim this size or a larger one, or none."""
_MOST_CHUNKS = 64


def counts_its_frames(path: Path) -> bool:
    """Whether an MP3 file says how many frames it has (Xing or Info header): else its length is a guess."""
    with path.open("rb") as file:
        head = file.read(_ID3_HEAD)
        if head[:3] == b"ID3" and len(head) == _ID3_HEAD:
            a, b, c, d = head[6:10]
            file.seek(_ID3_HEAD + (a << 21 | b << 14 | c << 7 | d))
        else:
            file.seek(0)
        frame = file.read(_FIRST_FRAME)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    return 0 <= place <= len(frame) - 8 and bool(frame[place + 7] & 1)


def wav_data_bytes(path: Path) -> int | None:
    """Length of the samples that a WAV file promises; None if it promises none."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return None  # RF64 and its like have it elsewhere
        file.seek(12)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                return None
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return size if 0 < size < _TOLD_WHEN_UNKNOWN else None
            file.seek(size + size % 2, 1)
    return None
