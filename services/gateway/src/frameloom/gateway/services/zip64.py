"""Where every byte of a ZIP archive lies, before a single byte of its files is read. Pure.

Files are stored as they are, so the archive's length follows from theirs; where all checksums are known
beforehand, every byte but those of the files does too, and any range of the archive can be made. Where one is
not, it is written behind its file, as the format provides for streams, and the archive can only be sent
whole. Written after PKWARE's APPNOTE 6.3: ZIP64 where a size or a place needs it, names in UTF-8.

No library does this: those that know the length beforehand read their files synchronously, and none makes a
range.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_DESCRIPTOR = struct.Struct("<IIII")
_DESCRIPTOR64 = struct.Struct("<IIQQ")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
_EXTRA64 = 1
_VERSION, _VERSION64 = 20, 45
_UNIX = 3 << 8
_PLAIN_FILE = 0o100644 << 16
_LATER, _UTF8 = 1 << 3, 1 << 11
_FIRST_YEAR = 1980


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive.

    Attributes:
        name: With ``/`` between folders.
        size_bytes: Its length.
        crc32: Its checksum; None: known only once it has been read.
        modified: When it was made.
    """

    name: str
    size_bytes: int
    crc32: int | None
    modified: datetime


class Kind(StrEnum):
    """What a part of an archive is."""

    HEADER = "header"
    CONTENT = "content"
    CHECKSUM = "checksum"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the archive, in order: of a member, or the directory at the end."""

    kind: Kind
    size_bytes: int
    member: int = -1


class Layout:
    """An archive of these members.

    Attributes:
        members: In order.
        size_bytes: Length of the whole archive.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        sizes = [len(self._header(m)) + m.size_bytes + _checksum_bytes(m) for m in self.members]
        self._offsets = list(accumulate(sizes, initial=0))
        unknown = {number: 0 for number, member in enumerate(self.members) if member.crc32 is None}
        self._directory_bytes = len(self._directory(unknown))
        self.size_bytes = self._offsets[-1] + self._directory_bytes

    @property
    def fixed(self) -> bool:
        """Whether every byte but those of the files is known: then ranges can be made."""
        return all(member.crc32 is not None for member in self.members)

    def parts(self) -> Iterator[Part]:
        """The archive from its beginning to its end."""
        for number, member in enumerate(self.members):
            yield Part(Kind.HEADER, len(self._header(member)), number)
            yield Part(Kind.CONTENT, member.size_bytes, number)
            yield Part(Kind.CHECKSUM, _checksum_bytes(member), number)
        yield Part(Kind.DIRECTORY, self._directory_bytes)

    def written(self, part: Part, checksums: Mapping[int, int]) -> bytes:
        """The bytes of a part that is no content.

        Args:
            part: Of this archive.
            checksums: By number, those that its members did not tell, as far as their content has passed.
        """
        if part.kind is Kind.DIRECTORY:
            return self._directory(checksums)
        member = self.members[part.member]
        if part.kind is Kind.HEADER:
            return self._header(member)
        return _checksum(member, checksums[part.member]) if part.size_bytes else b""

    def _header(self, member: Member) -> bytes:
        name = member.name.encode()
        later = member.crc32 is None
        size = 0 if later else member.size_bytes
        extra = struct.pack("<HHQQ", _EXTRA64, 16, size, size) if _is_large(member) else b""
        shown = _MAX32 if extra else size
        head = _LOCAL.pack(
            *(0x04034B50, _version(member), _flags(member), 0, *_dos(member.modified)),
            *(member.crc32 or 0, shown, shown, len(name), len(extra)),
        )
        return head + name + extra

    def _directory(self, checksums: Mapping[int, int]) -> bytes:
        entries = b"".join(self._entry(number, checksums) for number in range(len(self.members)))
        return entries + _end(len(self.members), len(entries), self._offsets[-1])

    def _entry(self, number: int, checksums: Mapping[int, int]) -> bytes:
        member, offset = self.members[number], self._offsets[number]
        name = member.name.encode()
        crc32 = checksums[number] if member.crc32 is None else member.crc32
        size = member.size_bytes
        far = offset >= _MAX32
        wide = [*([size, size] if _is_large(member) else []), *([offset] if far else [])]
        extra = struct.pack(f"<HH{len(wide)}Q", _EXTRA64, 8 * len(wide), *wide) if wide else b""
        shown = _MAX32 if _is_large(member) else size
        version = _VERSION64 if wide else _VERSION
        head = _CENTRAL.pack(
            *(0x02014B50, _UNIX | version, version, _flags(member), 0, *_dos(member.modified)),
            *(crc32, shown, shown, len(name), len(extra), 0, 0, 0, _PLAIN_FILE, _MAX32 if far else offset),
        )
        return head + name + extra


def _is_large(member: Member) -> bool:
    return member.size_bytes >= _MAX32


def _version(member: Member) -> int:
    return _VERSION64 if _is_large(member) else _VERSION


def _flags(member: Member) -> int:
    return _UTF8 | (_LATER if member.crc32 is None else 0)


def _checksum_bytes(member: Member) -> int:
    if member.crc32 is not None:
        return 0
    return (_DESCRIPTOR64 if _is_large(member) else _DESCRIPTOR).size


def _checksum(member: Member, crc32: int) -> bytes:
    form = _DESCRIPTOR64 if _is_large(member) else _DESCRIPTOR
    return form.pack(0x08074B50, crc32, member.size_bytes, member.size_bytes)


def _end(count: int, size: int, offset: int) -> bytes:
    """The records behind the directory; those of ZIP64 where a number does not fit the old one."""
    end = _END.pack(
        0x06054B50, 0, 0, min(count, _MAX16), min(count, _MAX16), min(size, _MAX32), min(offset, _MAX32), 0
    )
    if count < _MAX16 and size < _MAX32 and offset < _MAX32:
        return end
    wide = _END64.pack(
        *(0x06064B50, _END64.size - 12, _UNIX | _VERSION64, _VERSION64),
        *(0, 0, count, count, size, offset),
    )
    return wide + _LOCATOR64.pack(0x07064B50, 0, offset + size, 1) + end


def _dos(time: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS wrote them: even seconds, from 1980 on. The format has no zone; this is UTC."""
    utc = time.astimezone(UTC)
    clock = utc.hour << 11 | utc.minute << 5 | utc.second // 2
    return clock, max(0, utc.year - _FIRST_YEAR) << 9 | utc.month << 5 | utc.day
