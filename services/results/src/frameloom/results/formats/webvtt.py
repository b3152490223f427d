"""WebVTT subtitles (W3C), numbered cues with hours; a speaker becomes a voice span."""

from __future__ import annotations

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.results.formats.base import Out, Rows, records, said, span, speaker
from frameloom.results.formats.clocktime import clock

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """One cue per row that covers time and says something; the provenance follows in a note.

    At the end, because readers that expect the first cue right after the header exist.
    """
    out.write(b"WEBVTT\n\n")
    count = 0
    async for row in records(rows, spec.counted):
        cue = _cue(spec, row)
        if cue is not None:
            count += 1
            out.write(f"{count}\n{cue}\n\n".encode())
    facts = f"pipeline {provenance.pipeline} {provenance.pipeline_version}, input {provenance.input_sha256}"
    out.write(f"NOTE {facts.replace('-->', '->')}\n".encode())
    return count


def _cue(spec: ArtefactSpec, row: Row) -> str | None:
    times, text = span(row), said(spec, row)
    if times is None or not text:
        return None
    shown = text.translate(_ESCAPES)
    if name := speaker(spec, row):
        shown = f"<v {name.translate(_ESCAPES)}>{shown}"
    return f"{clock(times[0], '.')} --> {clock(times[1], '.')}\n{shown}"
