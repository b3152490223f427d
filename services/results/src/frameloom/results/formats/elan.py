"""ELAN annotation files (EAF 3.0): one tier per speaker or label, times in milliseconds."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records, said, span, tier_of, tiers, within

_MOST_TIERS = 64
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="frameloom" DATE={date} FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<PROPERTY NAME="provenance">{provenance}</PROPERTY>
</HEADER>
"""
_FOOT = """<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """Goes over the rows for the tiers, for the time slots, and once for each tier."""
    names = await tiers(spec, rows, _MOST_TIERS)
    date = quoteattr(provenance.ended_at.isoformat(timespec="seconds"))
    out.write(_HEAD.format(date=date, provenance=escape(provenance.model_dump_json())).encode())
    await _time_order(spec, rows, out)
    count = 0
    for name in names:
        out.write(f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID={quoteattr(name)}>\n'.encode())
        number = 0
        async for row in records(rows, spec.counted):
            if span(row) is None:
                continue
            number += 1
            if within(tier_of(spec, row), names) == name:
                count += 1
                out.write(_annotation(number, said(spec, row) or name).encode())
        out.write(b"</TIER>\n")
    out.write(_FOOT.encode())
    return count


async def _time_order(spec: ArtefactSpec, rows: Rows, out: Out) -> None:
    out.write(b"<TIME_ORDER>\n")
    number = 0
    async for row in records(rows, spec.counted):
        times = span(row)
        if times is None:
            continue
        number += 1
        for slot, seconds in ((2 * number - 1, times[0]), (2 * number, times[1])):
            out.write(f'<TIME_SLOT TIME_SLOT_ID="ts{slot}" TIME_VALUE="{round(seconds * 1000)}"/>\n'.encode())
    out.write(b"</TIME_ORDER>\n")


def _annotation(number: int, text: str) -> str:
    slots = f'TIME_SLOT_REF1="ts{2 * number - 1}" TIME_SLOT_REF2="ts{2 * number}"'
    value = f"<ANNOTATION_VALUE>{escape(text)}</ANNOTATION_VALUE>"
    begin = f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" {slots}>'
    return f"{begin}{value}</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
