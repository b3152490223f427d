"""Cuts long media into segments. Pure.

The cut follows from what is known when a job is planned: the length that the probe of the upload saw, what
the pipeline declares, and what the operator allows. Borders are nominal times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frameloom.common.documents.media import MediaFacts
from frameloom.common.documents.segments import Segment
from frameloom.common.pipelines import Segmentation

MOST = 512
"""Segments of one pipeline and job, at most: beyond, they get longer."""
SWITCH = "segments"
"""Key of a pipeline's configuration: false keeps the media whole."""
_CONTAINERS = ("mov", "matroska", "wav", "flac")
"""Demuxers whose time stamps can be trusted after a seek."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator says about segments.

    Attributes:
        seconds: Length of a segment; None: as the pipeline declares it, 0: nothing is ever cut.
        above_seconds: Shorter media stay whole; None: as the pipeline declares it.
    """

    seconds: float | None = None
    above_seconds: float | None = None


def cut(
    facts: MediaFacts | None, segmentation: Segmentation | None, config: Mapping[str, Any], limits: Limits
) -> tuple[Segment, ...]:
    """The segments of a pipeline's work on some media.

    They are of equal length, cover the media without a gap, and are never shorter than twice the overlap.

    Args:
        facts: What is known of the media.
        segmentation: What the pipeline declares; None: it can not work in segments.
        config: The configuration of this pipeline in this job.
        limits: What the operator says.

    Returns:
        Two or more; none if the media are to stay whole.
    """
    if segmentation is None or facts is None or not facts.duration_seconds or config.get(SWITCH) is False:
        return ()
    if not facts.container.startswith(_CONTAINERS):
        return ()
    length = segmentation.seconds if limits.seconds is None else limits.seconds
    above = segmentation.above_seconds if limits.above_seconds is None else limits.above_seconds
    overlap, duration = segmentation.overlap_seconds, facts.duration_seconds
    if not length or duration <= above:
        return ()
    count = math.ceil(min(duration / length, MOST))
    if overlap:
        count = min(count, math.floor(min(duration / (2 * overlap), MOST)))
    if count < 2:
        return ()
    borders = [round(duration * place / count, 3) for place in range(count)]
    return tuple(
        Segment(
            index=place,
            count=count,
            begin_seconds=begin,
            end_seconds=borders[place + 1] if place + 1 < count else None,
            overlap_seconds=overlap,
        )
        for place, begin in enumerate(borders)
    )
