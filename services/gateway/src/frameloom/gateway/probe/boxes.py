"""The index of MP4 and MOV files, looked at before FFmpeg is: what it must not hold. Pure but for reading.

Only threats are refused here: references to other files, zipped indexes, tables that claim what they can not
hold. Whether the file is any good is for FFmpeg to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from frameloom.gateway.probe.reasons import Reason, Refused

_FIRST_BOXES = 1000
_BOXES = 20_000
_DEPTH = 8
_HEADER_BYTES = 16
_NESTED = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"mvex"}
_ENTRY_BYTES = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8, b"stss": 4}
"""Tables whose entries have one size, behind four bytes of flags and four of count."""
_SELF_CONTAINED = 1


class Source(Protocol):
    """What is read: a file, or something like it."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes; none at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes to a place, and answers it."""
        ...

    def tell(self) -> int:
        """Where the next read begins."""
        ...


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    """Of what it holds."""
    end: int


def require_harmless(source: Source, size_bytes: int, limit_bytes: int) -> bool:
    """Looks through the index, if there is one; tells whether there is.

    Args:
        source: The file.
        size_bytes: Of it.
        limit_bytes: Largest index.

    Raises:
        Refused: It holds what it must not.
    """
    for box in _outer(source, size_bytes):
        if box.kind != b"moov":
            continue
        if box.end > size_bytes:
            return False
        if box.end - box.start > limit_bytes:
            raise Refused(Reason.READS, limit=limit_bytes)
        source.seek(box.start)
        _Index(source.read(box.end - box.start), size_bytes).require_harmless()
        return True
    return False


def _outer(source: Source, size_bytes: int) -> Iterator[_Box]:
    """The boxes of the file itself, up to the index: a file in fragments has thousands behind it."""
    at = 0
    for _ in range(_FIRST_BOXES):
        if at + 8 > size_bytes:
            return
        source.seek(at)
        box = _box(source.read(_HEADER_BYTES), 0, size_bytes - at)
        if box is None:
            return
        yield _Box(box.kind, at + box.start, at + box.end)
        at += box.end


def _box(data: bytes, at: int, room: int) -> _Box | None:
    """The box at a place of some bytes, None where none can be; the last one may reach to ``room``."""
    if at + 8 > len(data):
        return None
    size, kind = struct.unpack_from(">I4s", data, at)
    header = 8
    if size == 1:
        if at + 16 > len(data):
            return None
        size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
    elif size == 0:
        size = room - at
    return None if size < header else _Box(kind, at + header, at + size)


class _Index:
    """The bytes of a moov box."""

    def __init__(self, data: bytes, file_bytes: int) -> None:
        self._data = data
        self._file_bytes = file_bytes
        self._left = _BOXES

    def require_harmless(self) -> None:
        self._walk(0, len(self._data), 1)

    def _walk(self, start: int, end: int, depth: int) -> None:
        if depth > _DEPTH:
            raise Refused(Reason.BAD_INDEX, what="boxes within boxes beyond measure")
        at = start
        while at < end and (box := _box(self._data, at, end)) is not None:
            self._left -= 1
            if self._left < 0:
                raise Refused(Reason.BAD_INDEX, what=f"more than {_BOXES} boxes")
            self._look(_Box(box.kind, box.start, min(box.end, end)), depth)
            at = box.end

    def _look(self, box: _Box, depth: int) -> None:
        if box.kind == b"cmov":
            raise Refused(Reason.COMPRESSED_INDEX)
        if box.kind == b"rmra":
            raise Refused(Reason.INDIRECT, what="reference movie")
        if box.kind == b"dref":
            self._data_references(box)
        elif box.kind == b"stsz":
            self._sample_sizes(box)
        elif box.kind in _ENTRY_BYTES:
            self._table(box, self._count(box, 4), _ENTRY_BYTES[box.kind])
        elif box.kind in _NESTED:
            self._walk(box.start, box.end, depth + 1)

    def _data_references(self, box: _Box) -> None:
        """Where the samples lie: a reference without the flag for "in this file" names another one."""
        at = box.start + 8
        while at < box.end and (entry := _box(self._data, at, box.end)) is not None:
            self._left -= 1
            if self._left < 0:
                raise Refused(Reason.BAD_INDEX, what=f"more than {_BOXES} boxes")
            flags = int.from_bytes(self._data[entry.start + 1 : entry.start + 4])
            if not flags & _SELF_CONTAINED:
                raise Refused(Reason.INDIRECT, what="samples in another file")
            at = entry.end

    def _sample_sizes(self, box: _Box) -> None:
        size, count = self._count(box, 4), self._count(box, 8)
        if size == 0:
            self._table(box, count, 4, head=12)
        elif size * count > self._file_bytes:
            raise Refused(Reason.BAD_INDEX, what=f"{count} samples of {size} bytes in a smaller file")

    def _table(self, box: _Box, count: int, entry_bytes: int, head: int = 8) -> None:
        if count * entry_bytes > box.end - box.start - head:
            name = box.kind.decode("latin-1")
            raise Refused(Reason.BAD_INDEX, what=f"a table {name} of {count} entries that can not hold them")

    def _count(self, box: _Box, at: int) -> int:
        return int.from_bytes(self._data[box.start + at : min(box.start + at + 4, box.end)])
