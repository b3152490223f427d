"""Assembles an artefact from streamed rows: memory stays flat whatever the length of the video.

The file is a JSON object: ``head`` first, with the provenance in its ``info``; then each list, filled chunk
by chunk; then ``tail``. A reader that looks only at the beginning of the file (the viewer does) finds the
annotations there, because their list is written before the images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import IO, Any

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec

Rows = Callable[[str], AsyncIterator[list[bytes]]]


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was written: size in bytes, digest, and how many rows the counted list has."""

    size_bytes: int
    sha256: str
    annotation_count: int


class _Counting:
    """A file that knows its length and digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


async def assemble(spec: ArtefactSpec, provenance: Provenance, rows: Rows, file: IO[bytes]) -> Assembled:
    """Writes one artefact.

    Args:
        spec: Its fixed parts and the order of its lists.
        provenance: Goes into ``info.provenance``.
        rows: Streams the rows of a list by name; called once for each list and each copy.
        file: Written from its current position.
    """
    out = _Counting(file)
    count = 0
    separator = b"{"
    for key, value in _head(spec, provenance).items():
        out.write(separator + _json(key) + b":" + _json(value))
        separator = b",\n"
    for name, source in _lists(spec):
        out.write(separator + _json(name) + b":[")
        written = await _write_rows(out, rows(source))
        out.write(b"]")
        separator = b",\n"
        if name == spec.counted:
            count = written
    for key, value in spec.tail.items():
        out.write(separator + _json(key) + b":" + _json(value))
        separator = b",\n"
    out.write(b"}\n")
    return Assembled(out.size_bytes, out.sha256, count)


def _head(spec: ArtefactSpec, provenance: Provenance) -> dict[str, Any]:
    info = {**spec.head.get("info", {}), "provenance": provenance.model_dump(mode="json")}
    return {**spec.head, "info": info}


def _lists(spec: ArtefactSpec) -> list[tuple[str, str]]:
    """(name, source) of each list; a copy has another list's rows."""
    return [(name, spec.copies.get(name, name)) for name in spec.lists]


async def _write_rows(out: _Counting, batches: AsyncIterator[list[bytes]]) -> int:
    count = 0
    async for batch in batches:
        out.write((b",\n" if count else b"\n") + b",\n".join(batch))
        count += len(batch)
    return count


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
