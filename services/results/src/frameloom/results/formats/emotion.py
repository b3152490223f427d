"""``.emotion.json``, version 0.1 of VideoAnnotator's specification: emotions over time."""

from __future__ import annotations

from typing import Any

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.results.formats.base import Out, Rows, compact, records, words

_VERSION = 1
"""What version 0.1 of the specification wants to stand there."""
_SHORTEST_SECONDS = 0.001
"""An entry ends after it begins, also where a row tells a moment only."""


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """One entry per row that has emotions; the labels that occurred are listed at the end."""
    head: dict[str, Any] = {
        "schema_version": _VERSION,
        "source_pipeline": provenance.pipeline,
        "media": {"sha256": provenance.input_sha256, **spec.options.get("media", {})},
    }
    out.write(compact(head)[:-1] + b',\n"emotions":[')
    labels: set[str] = set()
    count = 0
    async for row in records(rows, spec.counted):
        entry = _entry(spec, row)
        if entry is None:
            continue
        labels.update(label["label"] for label in entry["labels"])
        out.write((b",\n" if count else b"\n") + compact(entry))
        count += 1
    taxonomy = {
        "taxonomy": spec.options.get("taxonomy", "custom"),
        "definitions": {label: label for label in sorted(labels)},
    }
    tail = {"labels": taxonomy, "metadata": {"provenance": provenance.model_dump(mode="json")}}
    out.write(b"],\n" + compact(tail)[1:] + b"\n")
    return count


def _entry(spec: ArtefactSpec, row: Row) -> dict[str, Any] | None:
    scores = row.get(spec.options.get("scores", "emotion_scores"))
    if not isinstance(scores, dict) or not scores:
        return None
    begin = float(row.get("start_time", row.get("timestamp")) or 0.0)
    end = float(row.get("end_time") or begin + float(spec.options.get("step_seconds", 0.0)))
    labels = [
        {"label": words(name), "confidence": round(float(score), 4)}
        for name, score in sorted(scores.items(), key=lambda item: -float(item[1]))
    ]
    source = {
        "modality": spec.options.get("modality", "video"),
        "channels": spec.options.get("channels", ["face"]),
        "aggregation": spec.options.get("aggregation", "frame"),
    }
    subject = row.get(spec.options.get("subject", "face_id"))
    kind = spec.options.get("subject_type", "person")
    named = {} if subject is None else {"subject": {"id": str(subject), "type": kind}}
    end = max(end, begin + _SHORTEST_SECONDS)
    return {"start": begin, "end": end, "labels": labels, "source": source, **named}
