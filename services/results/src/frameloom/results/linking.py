"""Whose face it is: geometry of faces and persons in the same frame, and a vote over time. Pure.

A face belongs to the person in whose upper part it lies. In each frame every face gets at most one person
and every person at most one face. Where several fit, the pair that fits in most frames has it: two people who
pass each other keep their faces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""Left, top, width, height."""

BRIDGED_SECONDS = 2.0
"""Between two sightings of a track no farther apart than this, its box moves evenly."""
NEAR_SECONDS = 0.5
"""Otherwise the person is where the nearest frame had it, if that is no farther away."""

_HEAD_HEIGHT = 0.4
"""The upper part of somebody who stands; of a wide box, which shows less of a person, it is more."""
_SMALLEST_FACE = 0.15
"""Width of a face beside its person's box, below which it is likelier somebody's behind."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person in one frame.

    Attributes:
        key: The same in all frames of a track.
        box: Where.
        tracked: Whether the person is followed from frame to frame at all.
    """

    key: str
    box: Box
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class Sighting:
    """The persons of one frame."""

    timestamp: float
    persons: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A face and its person, by their places in the two lists, and the part of the face in the upper part."""

    face: int
    person: int
    overlap: float


Support = Callable[[int, int], float]
"""How often a face and a person were together: 0 never, 1 always when both were there."""


class Votes:
    """In how many frames a face and a person were together. Grows with the pairs, not with the frames."""

    def __init__(self) -> None:
        self._together: Counter[tuple[Hashable, str]] = Counter()

    def add(self, face: Hashable, person: Person) -> None:
        """One more frame. Who is not followed has no history."""
        if person.tracked:
            self._together[face, person.key] += 1

    def support(self, faces: Sequence[Hashable], persons: Sequence[Person]) -> Support:
        """The votes of one frame's faces and persons, each pair beside its rivals in that frame."""
        votes = [[self._together[face, person.key] for person in persons] for face in faces]
        of_face = [max(row, default=0) for row in votes]
        of_person = [max(column, default=0) for column in zip(*votes, strict=True)] if votes else []

        def share(face: int, person: int) -> float:
            most = max(of_face[face], of_person[person])
            return votes[face][person] / most if most else 1.0

        return share


def persons_at(timestamp: float, before: Sighting | None, after: Sighting | None) -> list[Person]:
    """Who is where at a time, from the frames before (or at) and after it.

    In the order of the earlier frame, then of the later one.
    """
    if before is not None and before.timestamp == timestamp:
        return list(before.persons)
    later = {person.key: person for person in after.persons if person.tracked} if after is not None else {}
    found: dict[str, Person] = {}
    if before is not None and after is not None and after.timestamp - before.timestamp <= BRIDGED_SECONDS:
        part = (timestamp - before.timestamp) / (after.timestamp - before.timestamp)
        for person in before.persons:
            if person.tracked and (other := later.get(person.key)) is not None:
                found[person.key] = Person(person.key, _moved(person.box, other.box, part))
    for person in _nearest(timestamp, before, after):
        found.setdefault(person.key, person)
    return list(found.values())


def matched(
    faces: Sequence[Box], persons: Sequence[Box], least: float, support: Support | None = None
) -> list[Link]:
    """Pairs each face with at most one person and the other way round, the best pairs first.

    Args:
        faces: Boxes of one frame.
        persons: Boxes of the same frame.
        least: Least part of a face that lies in the upper part of its person.
        support: What other frames say; None: nothing.

    Returns:
        The links, in the order of the faces.
    """
    pairs = []
    for i, face in enumerate(faces):
        for j, person in enumerate(persons):
            overlap = covered(face, head_of(person))
            if overlap > 0 and overlap >= least:
                said = 0.5 if support is None else support(i, j)
                pairs.append((-fit(face, person, overlap) * (0.25 + said), i, j, overlap))
    links: dict[int, Link] = {}
    taken: set[int] = set()
    for _, i, j, overlap in sorted(pairs):
        if i not in links and j not in taken:
            links[i] = Link(i, j, overlap)
            taken.add(j)
    return [links[i] for i in sorted(links)]


def head_of(person: Box) -> Box:
    """The part of a person's box in which the face is: the upper part, all of it where the box is wide."""
    left, top, width, height = person
    return left, top, width, min(height, max(_HEAD_HEIGHT * height, width))


def covered(face: Box, region: Box) -> float:
    """The part of a face that lies within a region, from 0 to 1."""
    width = min(face[0] + face[2], region[0] + region[2]) - max(face[0], region[0])
    height = min(face[1] + face[3], region[1] + region[3]) - max(face[1], region[1])
    area = face[2] * face[3]
    return min(1.0, width * height / area) if width > 0 and height > 0 and area > 0 else 0.0


def fit(face: Box, person: Box, overlap: float) -> float:
    """How well a face sits on a person: high up, in the middle, and not too small. From 0 to 1."""
    head = head_of(person)
    aside = abs(face[0] + face[2] / 2 - head[0] - head[2] / 2) / max(head[2], 1e-9)
    down = max(0.0, face[1] + face[3] / 2 - head[1]) / max(head[3], 1e-9)
    size = min(1.0, face[2] / max(person[2], 1e-9) / _SMALLEST_FACE)
    return overlap * (1 - min(1.0, aside)) * (1 - 0.5 * min(1.0, down)) * size


def _nearest(timestamp: float, before: Sighting | None, after: Sighting | None) -> tuple[Person, ...]:
    near = [sighting for sighting in (before, after) if sighting is not None]
    near = [sighting for sighting in near if abs(sighting.timestamp - timestamp) <= NEAR_SECONDS]
    if not near:
        return ()
    return min(near, key=lambda sighting: abs(sighting.timestamp - timestamp)).persons


def _moved(a: Box, b: Box, part: float) -> Box:
    left, top, width, height = (x + (y - x) * part for x, y in zip(a, b, strict=True))
    return left, top, width, height
