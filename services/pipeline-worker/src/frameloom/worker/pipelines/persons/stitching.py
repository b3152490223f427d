"""Who is who across segments: by overlap where two have seen the same frames, else by appearance. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from frameloom.common.pipelines import Item, Row
from frameloom.worker.media.spans import Span
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.persons.motion import Numbers

_SAME = 0.5
"""Overlap from which on two boxes of one frame are the same box."""
_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame that a segment looked at, with its boxes.

    Attributes:
        timestamp: Seconds from the start of the media.
        number: Of the whole video.
        boxes: ``[N, 4]`` left, top, right, bottom, in pixels.
        scores: ``[N]``.
        persons: Number of each box's person within its segment; None where nobody is followed.
    """

    timestamp: float
    number: int
    boxes: Numbers
    scores: Numbers
    persons: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a segment leaves of a person, for those after it.

    Attributes:
        number: Within the segment.
        look: The mean appearance, if it was looked at.
        joined: How often the person came back as another track.
    """

    number: int
    look: Numbers | None
    joined: int

    def row(self) -> Row:
        """As it travels."""
        look = None if self.look is None else [round(float(value), _DIGITS) for value in self.look]
        return {"number": self.number, "look": look, "joined": self.joined}

    @classmethod
    def of(cls, row: Row) -> Known:
        """From what has travelled."""
        look = None if row["look"] is None else np.array(row["look"], np.float64)
        return cls(int(row["number"]), look, int(row["joined"]))


def frames(items: Iterable[Item]) -> Iterator[Frame]:
    """The frames in a segment's rows: the boxes of each come before its image."""
    boxes: list[Row] = []
    for item in items:
        if item.list == coco.ANNOTATIONS:
            boxes.append(item.row)
        elif item.list == coco.IMAGES:
            yield _frame(item.row, boxes)
            boxes = []


def _frame(image: Row, rows: Sequence[Row]) -> Frame:
    sides = np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    corners = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
    scores = np.array([row["score"] for row in rows], np.float64)
    persons = tuple(row.get("track_id") for row in rows)
    return Frame(float(image["timestamp"]), int(image["frame_number"]), corners, scores, persons)


def same_persons(left: Sequence[Frame], right: Sequence[Frame]) -> dict[int, int]:
    """Which persons of two segments are the same, by their boxes in the frames that both have seen.

    Returns:
        The number on the left for numbers on the right; nobody on either side twice.
    """
    votes: defaultdict[tuple[int, int], float] = defaultdict(float)
    seen = {frame.number: frame for frame in left}
    for there in right:
        here = seen.get(there.number)
        if here is None:
            continue
        for a, b, alike in _pairs(here, there):
            votes[a, b] += alike
    return _assigned(votes)


def _pairs(here: Frame, there: Frame) -> Iterator[tuple[int, int, float]]:
    alike = _overlaps(here.boxes, there.boxes)
    for i, j in zip(*np.nonzero(alike >= _SAME), strict=True):
        a, b = here.persons[i], there.persons[j]
        if a is not None and b is not None:
            yield a, b, float(alike[i, j])


def _overlaps(a: Numbers, b: Numbers) -> Numbers:
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    left, right = a[:, None], b[None]
    size = np.maximum(
        np.minimum(left[..., 2:], right[..., 2:]) - np.maximum(left[..., :2], right[..., :2]), 0
    )
    common = size.prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (left, right)]
    shares: Numbers = common / np.maximum(areas[0] + areas[1] - common, 1e-9)
    return shares


def _assigned(votes: dict[tuple[int, int], float]) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to import

    if not votes:
        return {}
    lefts = sorted({a for a, _ in votes})
    rights = sorted({b for _, b in votes})
    weights = np.array([[votes.get((a, b), 0.0) for b in rights] for a in lefts])
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return {rights[j]: lefts[i] for i, j in zip(rows, columns, strict=True) if weights[i, j] > 0}


@dataclass(slots=True, eq=False)
class Seam:
    """Hands out each frame of the whole once, from segments that overlap.

    In the first half of an overlap the segment before is believed, in the second half the one after: a
    tracker needs a while until it is as sure as one that was there all the time.

    Attributes:
        tail: Frames of the segment before that the next one has seen too.
    """

    tail: Sequence[Frame] = ()

    def share(
        self, own: Span, after: Span | None, given: Iterator[Frame]
    ) -> Iterator[Frame | dict[int, int]]:
        """The frames of one segment that are its own; before them, who of it was known to the one before.

        Args:
            own: The segment.
            after: The next one that saw anything.
            given: All frames of the segment.
        """
        begin = own.begin + own.overlap / 2 if self.tail else float("-inf")
        end = after.begin + after.overlap / 2 if after else float("inf")
        until = own.begin + own.overlap
        head: list[Frame] = []
        told = False
        tail: list[Frame] = []
        for frame in given:
            if after is not None and frame.timestamp >= after.begin:
                tail.append(frame)
            if not told and self.tail and frame.timestamp < until:
                head.append(frame)
                continue
            if not told:
                told = True
                yield same_persons(self.tail, head)
                yield from (one for one in head if begin <= one.timestamp < end)
            if begin <= frame.timestamp < end:
                yield frame
        if not told:
            yield same_persons(self.tail, head)
            yield from (one for one in head if begin <= one.timestamp < end)
        self.tail = tail
