"""JSON objects, COCO above all: head, then each list filled by streaming, then tail.

A reader that looks only at the beginning of the file (the viewer does) finds the annotations there, because
their list is written before the images. The provenance stands in ``info``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, compact


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """Writes the object; counts the rows of ``spec.counted``."""
    count = 0
    separator = b"{"
    for key, value in _head(spec, provenance).items():
        out.write(separator + compact(key) + b":" + compact(value))
        separator = b",\n"
    for name, source in _lists(spec):
        out.write(separator + compact(name) + b":[")
        written = await write_rows(out, rows(source))
        out.write(b"]")
        separator = b",\n"
        if name == spec.counted:
            count = written
    for key, value in spec.tail.items():
        out.write(separator + compact(key) + b":" + compact(value))
        separator = b",\n"
    out.write(b"}\n")
    return count


async def write_rows(out: Out, batches: AsyncIterator[list[bytes]]) -> int:
    """Writes the elements of an array; answers how many."""
    count = 0
    async for batch in batches:
        out.write((b",\n" if count else b"\n") + b",\n".join(batch))
        count += len(batch)
    return count


def _head(spec: ArtefactSpec, provenance: Provenance) -> dict[str, Any]:
    info = {**spec.head.get("info", {}), "provenance": provenance.model_dump(mode="json")}
    return {**spec.head, "info": info}


def _lists(spec: ArtefactSpec) -> list[tuple[str, str]]:
    """(name, source) of each list; a copy has another list's rows."""
    return [(name, spec.copies.get(name, name)) for name in spec.lists]
