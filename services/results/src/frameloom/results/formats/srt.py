"""SubRip subtitles; a speaker stands before the text."""

from __future__ import annotations

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records, said, span, speaker
from frameloom.results.formats.clocktime import clock


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:  # noqa: ARG001 - SubRip has no place for it
    """One subtitle per row that covers time and says something."""
    count = 0
    async for row in records(rows, spec.counted):
        times, text = span(row), said(spec, row)
        if times is None or not text:
            continue
        count += 1
        name = speaker(spec, row)
        shown = f"{name}: {text}" if name else text
        out.write(f"{count}\n{clock(times[0], ',')} --> {clock(times[1], ',')}\n{shown}\n\n".encode())
    return count
