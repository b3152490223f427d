"""The same text in neighbouring pictures is one annotation: decisions without any network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""

LONGEST_SECONDS = 600.0
"""A text that stays longer becomes several: rows are in order of their start, so the others wait for it."""
_ALIKE = 0.6
_OVERLAP = 0.5
_FURTHEST_HEIGHTS = 8.0
_SIZE_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Reading:
    """A line that was read in one picture.

    Attributes:
        text: What it says.
        confidence: 0 to 1.
        box: The upright box around it.
        polygon: Its four corners, from the top left clockwise.
    """

    text: str
    confidence: float
    box: Box
    polygon: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True, eq=False)
class Line:
    """A text over time.

    Attributes:
        start: Time of the first picture that shows it, in seconds.
        frame: Number of that picture.
        latest: The last reading.
        last_seen: Time of the last picture that shows it.
        samples: How many pictures showed it.
        end: Time of the first picture without it; None while it lasts.
        votes: How sure all readings together were, by text.
        bests: The surest reading of each text.
    """

    start: float
    frame: int
    latest: Reading
    last_seen: float
    samples: int = 1
    end: float | None = None
    votes: dict[str, float] = field(default_factory=dict)
    bests: dict[str, Reading] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What most readings say; of equals the longest, since text that fades in is read in part."""
        return max(self.votes, key=lambda text: (self.votes[text], len(text), text))

    @property
    def best(self) -> Reading:
        """The surest reading of that text."""
        return self.bests[self.text]


class LineFollower:
    """Joins readings of neighbouring pictures.

    Args:
        max_gap_seconds: How long a text may go unread and still be the same one.
    """

    def __init__(self, max_gap_seconds: float) -> None:
        self._gap = max_gap_seconds
        self._open: list[Line] = []
        self._over: list[Line] = []

    def see(self, time: float, frame: int, readings: Sequence[Reading]) -> None:
        """The next picture that was read."""
        self._forget(time)
        pairs = dict(_pairs(self._open, readings))
        for place, line in enumerate(self._open):
            if place in pairs:
                _continue(line, time, readings[pairs[place]])
            elif line.end is None:
                line.end = time
        known = set(pairs.values())
        for place, reading in enumerate(readings):
            if place not in known:
                self._open.append(_begun(time, frame, reading))
        self._divide(time, frame)

    def still(self, time: float, frame: int) -> None:
        """The next picture, which is the one before once more."""
        self._forget(time)
        for line in self._open:
            if line.end is None:
                _continue(line, time, line.latest)
        self._divide(time, frame)

    def finish(self, time: float) -> None:
        """The video ends at this time."""
        for line in self._open:
            line.end = line.end if line.end is not None else max(time, line.last_seen)
        self._over.extend(self._open)
        self._open = []

    def take(self) -> Iterator[Line]:
        """Texts that are over, in order of their start: those before which no open one began."""
        earliest = min((line.start for line in self._open), default=float("inf"))
        ready = [line for line in self._over if line.start < earliest]
        self._over = [line for line in self._over if line.start >= earliest]
        yield from sorted(ready, key=lambda line: (line.start, line.best.box[1], line.best.box[0]))

    def _forget(self, time: float) -> None:
        """Lines that went unread for too long are over."""
        gone = {id(line) for line in self._open if line.end is not None and time - line.last_seen > self._gap}
        self._over.extend(line for line in self._open if id(line) in gone)
        self._open = [line for line in self._open if id(line) not in gone]

    def _divide(self, time: float, frame: int) -> None:
        for place, line in enumerate(self._open):
            if line.end is None and time - line.start >= LONGEST_SECONDS:
                line.end = time
                self._over.append(line)
                self._open[place] = _begun(time, frame, line.latest)


def _begun(time: float, frame: int, reading: Reading) -> Line:
    line = Line(time, frame, reading, time)
    _vote(line, reading)
    return line


def _continue(line: Line, time: float, reading: Reading) -> None:
    line.latest, line.last_seen, line.end = reading, time, None
    line.samples += 1
    _vote(line, reading)


def _vote(line: Line, reading: Reading) -> None:
    line.votes[reading.text] = line.votes.get(reading.text, 0.0) + reading.confidence
    best = line.bests.setdefault(reading.text, reading)
    if reading.confidence > best.confidence:
        line.bests[reading.text] = reading


def _pairs(lines: Sequence[Line], readings: Sequence[Reading]) -> Iterator[tuple[int, int]]:
    """Which line goes on in which reading; the likeliest first, each once."""
    likely = [
        (likeness, -i, -j)
        for i, line in enumerate(lines)
        for j, reading in enumerate(readings)
        if (likeness := _likeness(line.latest, reading)) > 0
    ]
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in sorted(likely, reverse=True):
        if -i not in taken[0] and -j not in taken[1]:
            taken[0].add(-i)
            taken[1].add(-j)
            yield -i, -j


def _likeness(before: Reading, now: Reading) -> float:
    """Above 0 if they may be one text: in one place and alike, or the very same and moved a little."""
    overlap = _overlap(before.box, now.box)
    a, b = _folded(before.text), _folded(now.text)
    if overlap >= _OVERLAP:
        alike = SequenceMatcher(None, a, b, autojunk=False).ratio()
        return 1.0 + overlap + alike if alike >= _ALIKE else 0.0
    if a != b:
        return 0.0
    height = max(before.box[3], now.box[3], 1.0)
    if height > _SIZE_RATIO * max(min(before.box[3], now.box[3]), 1.0):
        return 0.0
    distance = math.dist(_centre(before.box), _centre(now.box))
    return max(0.0, 1.0 - distance / (height * _FURTHEST_HEIGHTS))


def _folded(text: str) -> str:
    return "".join(text.casefold().split())


def _centre(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _overlap(a: Box, b: Box) -> float:
    """Intersection over the smaller of the two: a text that fades in is found in part."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / max(min(a[2] * a[3], b[2] * b[3]), 1e-9)
