"""Faces with their persons: the rows of ``face_analysis``, each with the person that it belongs to.

Made of two pipelines' rows. Both streams are read side by side, twice: first to count who is seen with whom,
then to write. Only two frames of persons, one row a person and one count a pair are held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.results.formats.base import Out, Rows, compact, records
from frameloom.results.formats.json_document import write_rows
from frameloom.results.linking import Link, Person, Sighting, Votes, matched, persons_at

NOBODY: Row = {
    "person_id": "unknown",
    "person_label": "unknown",
    "person_label_confidence": 0.0,
    "person_labeling_method": "none",
}
"""Of a face that belongs to no person, in the words of VideoAnnotator."""

_LEAST = 0.5


@dataclass(slots=True)
class _Pair:
    """How often and when a face and a person were together."""

    row: Row
    frames: int = 0
    overlap: float = 0.0


@dataclass(slots=True)
class _Linker:
    """The two streams of one job, and what is known of them."""

    faces: AsyncIterator[tuple[float, list[Row]]]
    persons: AsyncIterator[tuple[float, list[Row]]]
    before: Sighting | None = None
    after: Sighting | None = None
    _begun: bool = field(default=False)

    async def frames(self) -> AsyncIterator[tuple[list[Row], list[Person]]]:
        """The faces of each frame that has some, with the persons at that time."""
        async for timestamp, rows in self.faces:
            while not self._begun or (self.after is not None and self.after.timestamp <= timestamp):
                self._begun = True
                self.before = self.after
                self.after = await self._next()
            yield rows, persons_at(timestamp, self.before, self.after)

    async def _next(self) -> Sighting | None:
        found = await anext(self.persons, None)
        return None if found is None else Sighting(found[0], tuple(_person(row) for row in found[1]))


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """Writes a COCO file of the faces; ``links`` in it has one entry for each pair of face and person."""
    people = {row["person_id"]: row async for row in records(rows, f"{spec.joins}/person_tracks")}
    votes = Votes()
    async for faces, persons in _together(spec, rows):
        for link in _linked(spec, faces, persons, None):
            votes.add(faces[link.face]["face_id"], persons[link.person])
    head = {
        **spec.head,
        "info": {**spec.head.get("info", {}), "provenance": provenance.model_dump(mode="json")},
    }
    separator = b"{"
    for key, value in head.items():
        out.write(separator + compact(key) + b":" + compact(value))
        separator = b",\n"
    out.write(separator + b'"annotations":[')
    count, pairs = 0, dict[tuple[int, str], _Pair]()
    async for faces, persons in _together(spec, rows):
        links = {link.face: link for link in _linked(spec, faces, persons, votes)}
        for place, face in enumerate(faces):
            found = links.get(place)
            if found is None and spec.options.get("require_person_id", False):
                continue
            told = NOBODY if found is None else _told(persons[found.person], people)
            if found is not None:
                _count(pairs, face, told, found.overlap)
            out.write((b",\n" if count else b"\n") + compact({**face, **told}))
            count += 1
    out.write(b'],\n"links":' + compact([_summary(pair) for _, pair in sorted(pairs.items())]))
    out.write(b',\n"images":[')
    await write_rows(out, rows("images"))
    out.write(b"]")
    for key, value in spec.tail.items():
        out.write(b",\n" + compact(key) + b":" + compact(value))
    out.write(b"}\n")
    return count


def _together(spec: ArtefactSpec, rows: Rows) -> AsyncIterator[tuple[list[Row], list[Person]]]:
    faces = _by_frame(records(rows, spec.counted))
    return _Linker(faces, _by_frame(records(rows, f"{spec.joins}/annotations"))).frames()


async def _by_frame(rows: AsyncIterator[Row]) -> AsyncIterator[tuple[float, list[Row]]]:
    """Rows that follow each other with the same time are of one frame."""
    held: list[Row] = []
    async for row in rows:
        if held and row["timestamp"] != held[0]["timestamp"]:
            yield float(held[0]["timestamp"]), held
            held = []
        held.append(row)
    if held:
        yield float(held[0]["timestamp"]), held


def _linked(spec: ArtefactSpec, faces: list[Row], persons: list[Person], votes: Votes | None) -> list[Link]:
    least = float(spec.options.get("least_overlap", _LEAST))
    support = None if votes is None else votes.support([face["face_id"] for face in faces], persons)
    return matched([_box(face) for face in faces], [person.box for person in persons], least, support)


def _person(row: Row) -> Person:
    return Person(str(row["person_id"]), _box(row), tracked=row.get("track_id") is not None)


def _box(row: Row) -> tuple[float, float, float, float]:
    left, top, width, height = (float(value) for value in row["bbox"])
    return left, top, width, height


def _told(person: Person, people: dict[str, Row]) -> Row:
    """The person's fields of a face, as the list of persons has them in the end."""
    known: dict[str, Any] = people.get(person.key, {})
    told: Row = {
        "person_id": person.key,
        "person_label": known.get("label", "unknown"),
        "person_label_confidence": known.get("label_confidence", 0.0),
        "person_labeling_method": known.get("labeling_method", "none"),
    }
    return {"track_id": known["track_id"], **told} if "track_id" in known else told


def _count(pairs: dict[tuple[int, str], _Pair], face: Row, told: Row, overlap: float) -> None:
    if "track_id" not in told:
        return  # without tracks every row would be a pair
    key = face["face_id"], told["person_id"]
    when = face["timestamp"]
    row = {"face_id": face["face_id"], **told, "first_seen": when}
    pair = pairs.setdefault(key, _Pair(row))
    pair.frames += 1
    pair.overlap += overlap
    pair.row["last_seen"] = when


def _summary(pair: _Pair) -> Row:
    return {**pair.row, "frames": pair.frames, "mean_overlap": round(pair.overlap / pair.frames, 4)}
