"""Rows that are boxes on frames."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.results.formats.base import words


@dataclass(frozen=True, slots=True)
class Box:
    """One box: frame from 0, pixels of the video, the track it belongs to, its score and its label."""

    frame: int
    left: float
    top: float
    width: float
    height: float
    track: int | None
    score: float
    label: str


def box_of(spec: ArtefactSpec, row: Row) -> Box | None:
    """The box in a row; None if it has none."""
    corners = row.get("bbox")
    frame = row.get("frame_number")
    if not isinstance(corners, list) or len(corners) != 4 or not isinstance(frame, int):
        return None
    left, top, width, height = (float(value) for value in corners)
    track = row.get(spec.options.get("track", "track_id"))
    label = row.get(spec.options.get("label", "label"))
    return Box(
        frame=frame,
        left=left,
        top=top,
        width=width,
        height=height,
        track=track if isinstance(track, int) and not isinstance(track, bool) else None,
        score=float(row.get("score", 1.0)),
        label=words(label) or str(spec.options.get("unnamed", "object")),
    )
