"""MOTChallenge tracks: ``frame,id,left,top,width,height,score,-1,-1,-1``, frames and ids from 1."""

from __future__ import annotations

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records
from frameloom.results.formats.boxes import box_of


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:  # noqa: ARG001 - MOT has no place for it
    """One line per box; one without a track has the id -1, as detections have in the challenge."""
    count = 0
    async for row in records(rows, spec.counted):
        box = box_of(spec, row)
        if box is None:
            continue
        count += 1
        track = -1 if box.track is None else box.track
        place = f"{box.left:.2f},{box.top:.2f},{box.width:.2f},{box.height:.2f}"
        out.write(f"{box.frame + 1},{track},{place},{box.score:.4f},-1,-1,-1\n".encode())
    return count
