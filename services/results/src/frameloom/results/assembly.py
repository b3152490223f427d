"""Assembles an artefact from streamed rows, in the format that its pipeline asked for."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import IO

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats import writer_of
from frameloom.results.formats.base import Rows


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was written: size in bytes, digest, checksum, and how many rows the counted list has."""

    size_bytes: int
    sha256: str
    crc32: int
    annotation_count: int


class _Counting:
    """A file that knows its length, digest and checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0
        self.crc32 = 0

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size_bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


async def assemble(spec: ArtefactSpec, provenance: Provenance, rows: Rows, file: IO[bytes]) -> Assembled:
    """Writes one artefact.

    Args:
        spec: Its format, its fixed parts and the order of its lists.
        provenance: Where the rows come from; told in the file where the format has a place for it.
        rows: Streams the rows of a list by name; may be called more than once for each.
        file: Written from its current position.

    Raises:
        UnknownWriterError: This service does not write the format.
    """
    out = _Counting(file)
    count = await writer_of(spec.writer)(spec, provenance, rows, out)
    return Assembled(out.size_bytes, out.sha256, out.crc32, count)
