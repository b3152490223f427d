"""RTTM speaker turns (NIST), ten fields a line, in order of time."""

from __future__ import annotations

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records, span, tier_of


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:  # noqa: ARG001 - a line of another kind confuses readers
    """One line per row that covers time. Blanks in names become underscores: they separate the fields."""
    uri = _field(str(spec.options.get("uri", "video")))
    count = 0
    async for row in records(rows, spec.counted):
        times = span(row)
        if times is None:
            continue
        count += 1
        name = _field(tier_of(spec, row))
        begin, length = times[0], times[1] - times[0]
        out.write(f"SPEAKER {uri} 1 {begin:.3f} {length:.3f} <NA> <NA> {name} <NA> <NA>\n".encode())
    return count


def _field(text: str) -> str:
    return "_".join(text.split()) or "<NA>"
