"""Who is who: tracks that break off and begin anew are joined to persons, and persons get a size label."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from frameloom.worker.pipelines.persons.bytetrack import Track
from frameloom.worker.pipelines.persons.motion import Numbers

Label = Literal["parent", "infant", "unknown"]

_PACE = 1.5
"""Fastest way between two sightings, in heights per second: a run."""
_SLACK = 0.5
_SIZES_ALIKE = 1.6
_MEMORY = 20
"""Weight of the past in a person's mean appearance."""
_GROUP = 4
"""In a larger group, size tells distance from the camera rather than age."""
_SAME_GROUND = 0.35
"""Who stands farther up in the picture, in heights of the tallest, is farther away rather than smaller."""
_EVIDENCE = 5
"""Frames that it takes to judge a size."""
_ADULT = 0.8
_EDGE = 0.01
"""A box this near to the edge, as a fraction of the picture, may go on outside: its size is not known."""


@dataclass(slots=True, eq=False)
class Person:
    """One person of the video.

    Attributes:
        number: From 1, in order of appearance; the ``track_id`` of the rows.
        track: The track that is this person now.
        first: Time of the first box, seconds.
        last: Time of the last one.
        box: The last box.
        boxes: How many.
        score_sum: Of all scores.
        joined: How often it came back as another track.
    """

    number: int
    track: Track
    first: float
    last: float
    box: Numbers
    boxes: int = 0
    score_sum: float = 0.0
    joined: int = 0
    shares: int = 0
    share_sum: float = 0.0
    _look: Numbers | None = field(default=None)

    def looks(self, vector: Numbers) -> None:
        """Takes a sample of its appearance."""
        self._look = vector if self._look is None else self._look + (vector - self._look) / _MEMORY

    @property
    def look(self) -> Numbers | None:
        """The mean of its samples."""
        return self._look

    def likeness(self, vector: Numbers) -> float:
        """Cosine of an appearance with this person's."""
        if self._look is None:
            return 0.0
        return float(vector @ self._look / max(float(np.linalg.norm(self._look)), 1e-9))

    def could_be_at(self, box: Numbers, timestamp: float) -> bool:
        """Whether somebody of its last place and size can be there by then."""
        size, before = box[3] - box[1], self.box[3] - self.box[1]
        if max(size, before) > _SIZES_ALIKE * max(min(size, before), 1e-9):
            return False
        way = np.hypot(*((box[:2] + box[2:]) - (self.box[:2] + self.box[2:])) / 2)
        return bool(way <= max(size, before) * (_SLACK + _PACE * (timestamp - self.last)))


@dataclass(frozen=True, slots=True)
class SizeLabel:
    """What a person's size says, and on what grounds."""

    label: Label
    confidence: float
    reasoning: str | None

    @property
    def method(self) -> str:
        """The name of the method in the file."""
        return "none" if self.label == "unknown" else "automatic_size_based"


UNLABELLED = SizeLabel("unknown", 0.0, None)


class People:
    """The persons of one video; those who have been away for long are handed out and forgotten."""

    def __init__(self, relink_seconds: float, relink_threshold: float) -> None:
        self._window = relink_seconds
        self._threshold = relink_threshold
        self._by_track: dict[int, Person] = {}
        self._away: list[Person] = []
        self.count = 0
        self.joined = 0

    def of(self, track: Track) -> Person | None:
        """The person that a track is, if that has been decided."""
        return self._by_track.get(track.number)

    def candidates(self, box: Numbers, timestamp: float) -> list[Person]:
        """Who was there before and may be this one: nobody who is in the picture."""
        absent = [person for person in self._by_track.values() if person.track.lost]
        return [p for p in [*self._away, *absent] if p.could_be_at(box, timestamp)]

    def decide(self, track: Track, box: Numbers, timestamp: float, look: Numbers | None) -> Track | None:
        """Makes a confirmed track a person: one who was here before and looks alike, or a new one.

        Returns:
            The track that this person had until now, if the tracker still waits for it.
        """
        best = None
        if look is not None:
            alike = [(p.likeness(look), p.number, p) for p in self.candidates(box, timestamp)]
            best = max(alike, key=lambda entry: entry[:2], default=None)
        if best is None or best[0] < self._threshold:
            self.add(track, box, timestamp)
            return None
        person, before = best[2], best[2].track
        self._by_track.pop(before.number, None)
        if person in self._away:
            self._away.remove(person)
        person.track = track
        person.joined += 1
        self.joined += 1
        self._by_track[track.number] = person
        return None if before.ended else before

    def add(self, track: Track, box: Numbers, timestamp: float) -> Person:
        """Makes a track a new person."""
        self.count += 1
        person = Person(self.count, track, timestamp, timestamp, box)
        self._by_track[track.number] = person
        return person

    def like(self, look: Numbers, box: Numbers, timestamp: float, taken: Collection[Person]) -> Person | None:
        """Somebody of before who may be this one by place, time and appearance, and is not taken."""
        known = [p for p in self.rest() if p not in taken and 0 < timestamp - p.last <= self._window]
        alike = [(p.likeness(look), p.number, p) for p in known if p.could_be_at(box, timestamp)]
        best = max(alike, key=lambda entry: entry[:2], default=None)
        return best[2] if best is not None and best[0] >= self._threshold else None

    def saw(self, person: Person, box: Numbers, score: float, timestamp: float) -> None:
        """A box of a person, in pixels of the video."""
        person.first = min(person.first, timestamp)
        person.last = max(person.last, timestamp)
        person.box = box
        person.boxes += 1
        person.score_sum += score

    def compare(self, persons: list[Person], boxes: list[Numbers], size: tuple[int, int]) -> None:
        """Takes the sizes of those who are in one frame together."""
        if not 2 <= len(persons) <= _GROUP or not all(_inside(box, size) for box in boxes):
            return
        tallest = max(boxes, key=lambda box: float(box[3] - box[1]))
        height = float(tallest[3] - tallest[1])
        for person, box in zip(persons, boxes, strict=True):
            if abs(float(box[3] - tallest[3])) <= _SAME_GROUND * height:
                person.shares += 1
                person.share_sum += float(box[3] - box[1]) / max(height, 1e-9)

    def departed(self, timestamp: float) -> list[Person]:
        """Persons who can not come back any more; they are forgotten."""
        for number in [n for n, person in self._by_track.items() if person.track.ended]:
            self._away.append(self._by_track.pop(number))
        gone = [person for person in self._away if timestamp - person.last > self._window]
        self._away = [person for person in self._away if timestamp - person.last <= self._window]
        return gone

    def rest(self) -> list[Person]:
        """Everybody who is known still, in order of their numbers."""
        return sorted([*self._away, *self._by_track.values()], key=lambda person: person.number)


def size_label(person: Person, infant_ratio: float) -> SizeLabel:
    """Parent or infant, by the height beside the tallest person in the same frames."""
    if person.shares < _EVIDENCE:
        return UNLABELLED
    share = person.share_sum / person.shares
    if share <= infant_ratio:
        label, distance = "infant", (infant_ratio - share) / infant_ratio
    elif share >= _ADULT:
        label, distance = "parent", (share - _ADULT) / (1 - _ADULT)
    else:
        return UNLABELLED
    told = f"{share:.2f} of the height of the tallest person in {person.shares} frames"
    confidence = round(0.5 + 0.4 * min(1.0, distance), 3)
    return SizeLabel("infant" if label == "infant" else "parent", confidence, told)


def _inside(box: Numbers, size: tuple[int, int]) -> bool:
    width, height = size
    return bool(
        box[0] > _EDGE * width
        and box[1] > _EDGE * height
        and box[2] < (1 - _EDGE) * width
        and box[3] < (1 - _EDGE) * height
    )
