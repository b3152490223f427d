"""Praat TextGrid, long form: one interval tier per speaker or label, filled without gaps from 0 to the end.

A tier of intervals knows neither gaps nor overlaps: gaps become empty intervals, and what overlaps the one
before it in the same tier begins where that ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records, said, span, tier_of, tiers, within

_MOST_TIERS = 32
_LEAST_SECONDS = 1e-6


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:  # noqa: ARG001 - TextGrid has no place for it
    """Goes over the rows once for the tiers, once for their lengths, and once for each tier."""
    names = await tiers(spec, rows, _MOST_TIERS)
    end = await _end(spec, rows)
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = {end:.6f} \n'
    out.write(f"{head}tiers? <exists> \nsize = {len(names)} \nitem []: \n".encode())
    count = 0
    for place, name in enumerate(names, start=1):
        intervals = 0
        async for _ in _intervals(spec, rows, name, names, end):
            intervals += 1
        lines = [
            f"    item [{place}]:",
            '        class = "IntervalTier" ',
            f'        name = "{_quoted(name)}" ',
            "        xmin = 0 ",
            f"        xmax = {end:.6f} ",
            f"        intervals: size = {intervals} ",
        ]
        out.write(("\n".join(lines) + "\n").encode())
        number = 0
        async for begin, finish, text in _intervals(spec, rows, name, names, end):
            number += 1
            count += bool(text)
            lines = [
                f"        intervals [{number}]:",
                f"            xmin = {begin:.6f} ",
                f"            xmax = {finish:.6f} ",
                f'            text = "{_quoted(text)}" ',
            ]
            out.write(("\n".join(lines) + "\n").encode())
    return count


async def _end(spec: ArtefactSpec, rows: Rows) -> float:
    latest = float(spec.options.get("media_seconds", 0.0))
    async for row in records(rows, spec.counted):
        if (times := span(row)) is not None:
            latest = max(latest, times[1])
    return latest or 1.0


async def _intervals(
    spec: ArtefactSpec, rows: Rows, name: str, names: list[str], end: float
) -> AsyncIterator[tuple[float, float, str]]:
    """(begin, end, text) of one tier, gaps included."""
    reached = 0.0
    async for row in records(rows, spec.counted):
        times = span(row)
        if times is None or within(tier_of(spec, row), names) != name:
            continue
        begin, finish = max(times[0], reached), times[1]
        if finish - begin < _LEAST_SECONDS:
            continue
        if begin - reached >= _LEAST_SECONDS:
            yield reached, begin, ""
        else:
            begin = reached
        yield begin, finish, said(spec, row) or name
        reached = finish
    if end - reached >= _LEAST_SECONDS:
        yield reached, end, ""


def _quoted(text: str) -> str:
    return text.replace('"', '""')
