"""CVAT for video 1.1: tracks of boxes, which CVAT imports for correction.

Boxes come in order of time, CVAT wants them by track. So the tracks are written some at a time, as many as
fit into a bounded memory, with one pass over the rows for each such group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records
from frameloom.results.formats.boxes import Box, box_of

_BOXES_IN_MEMORY = 200_000
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """One ``track`` element per track; boxes of no track become tracks of one frame."""
    sizes, labels, loose = await _sizes(spec, rows)
    source = escape(f"{provenance.pipeline} {provenance.pipeline_version}, input {provenance.input_sha256}")
    names = "".join(f"<label><name>{escape(label)}</name></label>" for label in sorted(labels))
    meta = f"<meta><job><labels>{names}</labels></job><source>{source}</source></meta>"
    out.write(f"{_HEAD}{meta}\n".encode())
    count = 0
    for group in _groups(sizes):
        boxes: dict[int, list[Box]] = {track: [] for track in group}
        async for row in records(rows, spec.counted):
            box = box_of(spec, row)
            if box is not None and box.track in boxes:
                boxes[box.track].append(box)
        for track, members in boxes.items():
            out.write(_track(track, members).encode())
            count += len(members)
    if loose:
        number = max(sizes, default=0)
        async for row in records(rows, spec.counted):
            box = box_of(spec, row)
            if box is not None and box.track is None:
                number += 1
                count += 1
                out.write(_track(number, [box]).encode())
    out.write(b"</annotations>\n")
    return count


async def _sizes(spec: ArtefactSpec, rows: Rows) -> tuple[Counter[int], set[str], bool]:
    """How many boxes each track has, which labels there are, and whether some box has no track."""
    sizes: Counter[int] = Counter()
    labels: set[str] = set()
    loose = False
    async for row in records(rows, spec.counted):
        if (box := box_of(spec, row)) is None:
            continue
        labels.add(box.label)
        if box.track is None:
            loose = True
        else:
            sizes[box.track] += 1
    return sizes, labels, loose


def _groups(sizes: Counter[int]) -> Iterator[list[int]]:
    """Tracks together, as long as their boxes fit into memory."""
    group: list[int] = []
    held = 0
    for track, size in sorted(sizes.items()):
        if group and held + size > _BOXES_IN_MEMORY:
            yield group
            group, held = [], 0
        group.append(track)
        held += size
    if group:
        yield group


def _track(number: int, boxes: list[Box]) -> str:
    """A track; where it is not seen for a while, and after its end, it is told to be outside."""
    boxes = sorted(boxes, key=lambda box: box.frame)
    lines = [f'<track id="{number}" label={quoteattr(boxes[0].label)} source="auto">']
    step = min((b.frame - a.frame for a, b in pairwise(boxes)), default=1) or 1
    for box, following in zip(boxes, [*boxes[1:], None], strict=True):
        lines.append(_element(box, box.frame, outside=0))
        if following is None or following.frame > box.frame + step:
            lines.append(_element(box, box.frame + step, outside=1))
    return "\n".join([*lines, "</track>\n"])


def _element(box: Box, frame: int, *, outside: int) -> str:
    begin = f'xtl="{box.left:.2f}" ytl="{box.top:.2f}"'
    end = f'xbr="{box.left + box.width:.2f}" ybr="{box.top + box.height:.2f}"'
    seen = f'frame="{frame}" outside="{outside}" occluded="0" keyframe="1"'
    return f'<box {seen} {begin} {end} z_order="0"></box>'
