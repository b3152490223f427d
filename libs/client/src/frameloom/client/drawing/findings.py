"""What result files say, in a form that can be drawn: boxes, captions, spans and curves over time.

A box takes some forty bytes here, whatever a file writes of it, so an hour of video fits.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["person", "face", "text", "object"]
Point = tuple[float, float]

_SAME = 1e-4
"""Times closer than this are one: files have microseconds, or less."""
_LONGEST_HOLD = 2.0
_MOST_NOTES = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Box:
    """A box at a moment, in pixels of the upright video.

    Attributes:
        kind: What is in it.
        key: Whose it is: the same for all boxes of a track, and the seed of its colour.
        name: What the track is called.
        note: What is told of this moment: an emotion.
        left: Of its left edge.
        top: Of its upper edge.
        width: How wide it is.
        height: How high it is.
        points: Landmarks or joints.
    """

    kind: Kind
    key: str
    name: str
    note: str
    left: float
    top: float
    width: float
    height: float
    points: tuple[Point, ...] = ()


class Track:
    """Boxes of one thing over time.

    Attributes:
        kind: What it is.
        key: Which one.
        name: What it is called; the last that is said of it holds for all.
        loose: Several boxes of one moment may be in it, which have nothing to do with each other.
    """

    def __init__(self, kind: Kind, key: str, name: str, *, loose: bool = False) -> None:
        self.kind = kind
        self.key = key
        self.name = name
        self.loose = loose
        self._times = array("d")
        self._ends = array("d")
        self._boxes = array("f")
        self._notes: dict[str, int] = {}
        self._note_of = array("H")
        self._points = array("f")
        self._points_from = array("L", [0])
        self._told: list[str] = []
        self._ordered = True

    def __len__(self) -> int:
        return len(self._times)

    def add(
        self,
        time: float,
        box: tuple[float, float, float, float],
        *,
        note: str = "",
        points: tuple[Point, ...] = (),
        end: float | None = None,
    ) -> None:
        """A box at a time; until ``end`` if that is said, else until the next one."""
        self._ordered = self._ordered and (not self._times or time >= self._times[-1])
        self._times.append(time)
        self._ends.append(-1.0 if end is None else end)
        self._boxes.extend(box)
        if note not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes[note] = len(self._notes)
        self._note_of.append(self._notes.get(note, 0))
        for x, y in points:
            self._points.extend((x, y))
        self._points_from.append(len(self._points))

    def times(self) -> Iterator[float]:
        """When there is a box, each time once."""
        self._put_in_order()
        last = None
        for time in self._times:
            if last is None or time - last > _SAME:
                yield time
            last = time

    def at(self, time: float, step: float) -> Iterator[Box]:
        """The boxes to be seen at a time.

        Between two boxes of a track that are not further apart than a gap of two looks, the way from one to
        the other is taken; else a box stays until the next look.

        Args:
            time: Seconds of the media.
            step: Seconds from one look at the video to the next.
        """
        self._put_in_order()
        if len(self._told) != len(self._notes):
            self._told = list(self._notes)
        last = bisect_right(self._times, time + _SAME) - 1
        if last < 0:
            return
        if self._ends[last] >= 0:
            yield from self._lasting(time, last)
            return
        shown = self._times[last]
        following = last + 1
        if not self.loose and following < len(self._times) and self._times[following] - shown <= 2.5 * step:
            share = min(1.0, max(0.0, time - shown) / (self._times[following] - shown))
            yield self._box(last, following, share)
        elif time - shown < min(step, _LONGEST_HOLD) - _SAME or abs(time - shown) <= _SAME:
            first = last
            while self.loose and first > 0 and shown - self._times[first - 1] <= _SAME:
                first -= 1
            for index in range(first, last + 1):
                yield self._box(index)

    def _lasting(self, time: float, last: int) -> Iterator[Box]:
        """Of those that say their end, all that go on: looked for among the latest ones."""
        for index in range(last, max(-1, last - 200), -1):
            if self._ends[index] > time:
                yield self._box(index)

    def _box(self, index: int, following: int | None = None, share: float = 0.0) -> Box:
        here = self._boxes[4 * index : 4 * index + 4]
        points = self._points_of(index)
        if following is not None and share > 0:
            there = self._boxes[4 * following : 4 * following + 4]
            here = array("f", (a + (b - a) * share for a, b in zip(here, there, strict=True)))
            later = self._points_of(following)
            if len(later) == len(points):
                points = tuple(
                    (x + (u - x) * share, y + (v - y) * share)
                    for (x, y), (u, v) in zip(points, later, strict=True)
                )
        left, top, width, height = here
        note = self._told[self._note_of[index]]
        return Box(self.kind, self.key, self.name, note, left, top, width, height, points)

    def _points_of(self, index: int) -> tuple[Point, ...]:
        begin, end = self._points_from[index], self._points_from[index + 1]
        values = self._points[begin:end]
        return tuple(zip(values[::2], values[1::2], strict=True))

    def _put_in_order(self) -> None:
        """Files of others may not be in order of time."""
        if self._ordered:
            return
        order = sorted(range(len(self._times)), key=self._times.__getitem__)
        points = [self._points[self._points_from[i] : self._points_from[i + 1]] for i in order]
        self._boxes = array("f", (v for i in order for v in self._boxes[4 * i : 4 * i + 4]))
        self._times = array("d", (self._times[i] for i in order))
        self._ends = array("d", (self._ends[i] for i in order))
        self._note_of = array("H", (self._note_of[i] for i in order))
        self._points = array("f", (v for part in points for v in part))
        self._points_from = array("L", [0])
        for part in points:
            self._points_from.append(self._points_from[-1] + len(part))
        self._ordered = True


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time with a name: a scene, a turn of a speaker, a sound."""

    begin: float
    end: float
    label: str


@dataclass(frozen=True, slots=True, order=True)
class Cue:
    """A caption, and who says it."""

    begin: float
    end: float
    text: str
    speaker: str = ""


@dataclass(slots=True)
class Curve:
    """A value over time."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("f"))


@dataclass(slots=True)
class Findings:
    """All that is to be drawn.

    Attributes:
        tracks: By kind and key.
        steps: Seconds from one look at the video to the next, by kind.
        cues: Captions, in order of time once :meth:`settle` was called.
        lanes: Spans by the name of their lane, likewise.
        curves: By name.
        files: Names of the files that were read.
        passed_over: Names of files that were not, or not all of, with the reason.
    """

    tracks: dict[tuple[Kind, str], Track] = field(default_factory=dict)
    steps: dict[Kind, float] = field(default_factory=dict)
    cues: list[Cue] = field(default_factory=list)
    lanes: dict[str, list[Span]] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)

    def track(self, kind: Kind, key: str, name: str, *, loose: bool = False) -> Track:
        """The track of this key, new if need be."""
        found = self.tracks.setdefault((kind, key), Track(kind, key, name, loose=loose))
        found.name = name or found.name
        return found

    def span(self, lane: str, begin: float, end: float, label: str) -> None:
        """Adds a span."""
        self.lanes.setdefault(lane, []).append(Span(round(begin, 3), round(end, 3), label))

    def settle(self) -> None:
        """Puts all in order, once everything was read: the same thing is often told in two files."""
        self.cues = sorted(set(self.cues))
        self.lanes = {name: sorted(set(spans)) for name, spans in self.lanes.items()}

    def boxes_at(self, time: float) -> list[Box]:
        """The boxes to be seen at a time, persons first, so that faces are drawn over them."""
        order = {"person": 0, "object": 1, "text": 2, "face": 3}
        tracks = sorted(self.tracks.values(), key=lambda track: order[track.kind])
        return [box for track in tracks for box in track.at(time, self.steps.get(track.kind, 0.2))]

    def cues_at(self, time: float) -> list[Cue]:
        """The captions to be seen at a time; they are in order, and overlap little."""
        last = bisect_right(self.cues, time + _SAME, key=lambda cue: cue.begin)
        return [cue for cue in self.cues[max(0, last - 20) : last] if cue.end > time]

    def counts(self) -> dict[str, int]:
        """How much there is of what."""
        found: dict[str, int] = {}
        for track in self.tracks.values():
            count = len(track) if track.loose else sum(1 for _ in track.times())  # some are told in two files
            found[f"{track.kind}_boxes"] = found.get(f"{track.kind}_boxes", 0) + count
        told = {
            **found,
            "captions": len(self.cues),
            **{name.replace(" ", "_"): len(spans) for name, spans in self.lanes.items()},
            **{name.replace(" ", "_"): len(curve.times) for name, curve in self.curves.items()},
        }
        return {name: count for name, count in told.items() if count}
