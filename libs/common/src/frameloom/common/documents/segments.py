"""The parts of a long video: which part a task works on, and where a part's rows lie."""

from __future__ import annotations

from frameloom.common.documents.base import Part


class Segment(Part):
    """The part of the media that a task works on.

    Its borders are nominal. A pipeline that looks at pictures moves each to the first key frame at or after
    it, which both neighbours find alike in the file.
    """

    index: int
    """From 0."""
    count: int
    """How many segments the media has."""
    begin_seconds: float
    end_seconds: float | None = None
    """None: the end of the media, wherever that is."""
    overlap_seconds: float = 0.0
    """How far it goes into its neighbours, so that the two can be joined."""


class SegmentRows(Part):
    """Where the rows of a finished segment lie in the chunk store."""

    task_id: str
    epoch: int
    chunks: int
