"""Whose face it is: pure geometry, and a vote."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameloom.results.linking import (
    BRIDGED_SECONDS,
    NEAR_SECONDS,
    Box,
    Person,
    Sighting,
    Votes,
    covered,
    fit,
    head_of,
    matched,
    persons_at,
)

SIDE = st.floats(1, 400)
PLACE = st.floats(-50, 1000)
BOX = st.tuples(PLACE, PLACE, SIDE, SIDE)
BOXES = st.lists(BOX, max_size=8)
STANDING: Box = (100.0, 100.0, 100.0, 300.0)


def face_of(person: Box) -> Box:
    """Where the face of somebody who stands is."""
    left, top, width, height = person
    return left + 0.35 * width, top + 0.02 * height, 0.3 * width, 0.12 * height


@given(faces=BOXES, persons=BOXES, least=st.floats(0, 1))
@settings(deadline=None)
def test_links_are_one_to_one_and_lie_where_they_should(
    faces: list[Box], persons: list[Box], least: float
) -> None:
    links = matched(faces, persons, least)
    assert len({link.face for link in links}) == len(links) == len({link.person for link in links})
    assert [link.face for link in links] == sorted(link.face for link in links)
    for link in links:
        assert link.overlap == covered(faces[link.face], head_of(persons[link.person]))
        assert max(least, 1e-12) <= link.overlap <= 1
        assert 0 <= fit(faces[link.face], persons[link.person], link.overlap) <= 1
    free_faces = set(range(len(faces))) - {link.face for link in links}
    free_persons = set(range(len(persons))) - {link.person for link in links}
    for i in free_faces:
        for j in free_persons:
            overlap = covered(faces[i], head_of(persons[j]))
            assert overlap == 0 or overlap < least, "a pair that fits was left over"


@given(faces=BOXES, persons=BOXES, seed=st.integers(0, 1000))
@settings(deadline=None)
def test_the_order_of_the_boxes_does_not_matter(faces: list[Box], persons: list[Box], seed: int) -> None:
    faces, persons = list(dict.fromkeys(faces)), list(dict.fromkeys(persons))
    scores = [fit(f, p, covered(f, head_of(p))) for f in faces for p in persons]
    if len({round(score, 9) for score in scores if score > 0}) < sum(score > 0 for score in scores):
        return  # a tie: either is right
    mixed_faces, mixed_persons = faces[:], persons[:]
    random.Random(seed).shuffle(mixed_faces)
    random.Random(seed + 1).shuffle(mixed_persons)
    plain = {(faces[link.face], persons[link.person]) for link in matched(faces, persons, 0.5)}
    mixed = {
        (mixed_faces[link.face], mixed_persons[link.person])
        for link in matched(mixed_faces, mixed_persons, 0.5)
    }
    assert plain == mixed


@given(person=BOX, x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_it_is_the_same_wherever_in_the_picture(person: Box, x: float, y: float) -> None:
    face = face_of(person)
    moved = (person[0] + x, person[1] + y, *person[2:])
    there = (face[0] + x, face[1] + y, *face[2:])
    before, after = covered(face, head_of(person)), covered(there, head_of(moved))
    assert before == pytest.approx(after, abs=1e-6)


@given(people=st.lists(st.tuples(st.floats(60, 200), st.floats(1.2, 3.0)), min_size=1, max_size=6))
def test_people_who_stand_beside_each_other_have_their_own_faces(people: list[tuple[float, float]]) -> None:
    persons: list[Box] = []
    left = 0.0
    for width, slim in people:
        persons.append((left, 50.0, width, width * slim))
        left += width * 0.9  # their boxes overlap a little
    links = matched([face_of(person) for person in persons], persons, 0.5)
    assert [(link.face, link.person) for link in links] == [(i, i) for i in range(len(persons))]


def test_a_face_at_somebodys_feet_is_nobodys() -> None:
    assert matched([(130.0, 350.0, 40.0, 40.0)], [STANDING], 0.5) == []


def test_a_face_that_fills_a_close_up_is_its_persons() -> None:
    (link,) = matched([(200.0, 60.0, 240.0, 290.0)], [(100.0, 0.0, 500.0, 360.0)], 0.5)
    assert link.overlap > 0.9


def test_who_stands_behind_keeps_the_face() -> None:
    """A small face within the large box of somebody in front, and in the small box of its own person."""
    front, behind = (0.0, 0.0, 400.0, 900.0), (250.0, 20.0, 60.0, 180.0)
    faces = [face_of(front), face_of(behind)]
    assert [(link.face, link.person) for link in matched(faces, [front, behind], 0.5)] == [(0, 0), (1, 1)]
    (only,) = matched([face_of(behind)], [front, behind], 0.5)
    assert only.person == 1


def test_two_who_pass_each_other_keep_their_faces() -> None:
    """In one frame geometry alone has it the wrong way round; the other frames put it right."""
    people = [Person("a", (0.0, 0.0, 100.0, 300.0)), Person("b", (300.0, 0.0, 100.0, 300.0))]
    votes = Votes()
    for _ in range(10):
        for i, person in enumerate(people):
            votes.add(i, person)
    crossing = [Person("a", (100.0, 0.0, 100.0, 300.0)), Person("b", (110.0, 0.0, 100.0, 300.0))]
    faces: list[Box] = [(150.0, 10.0, 30.0, 36.0)]  # a's, but nearer to the middle of b
    assert matched(faces, [p.box for p in crossing], 0.5)[0].person == 1
    support = votes.support([0], crossing)
    assert matched(faces, [p.box for p in crossing], 0.5, support)[0].person == 0


def test_who_is_not_followed_has_no_history() -> None:
    votes = Votes()
    loose = Person("detection_1", STANDING, tracked=False)
    votes.add(0, loose)
    assert votes.support([0], [loose])(0, 0) == 1.0
    votes.add(0, Person("a", STANDING))
    assert votes.support([0], [loose, Person("a", STANDING)])(0, 0) == 0.0


SIGHTING = st.lists(st.tuples(st.sampled_from("abcd"), BOX), max_size=4, unique_by=lambda p: p[0])


@given(first=SIGHTING, second=SIGHTING, gap=st.floats(0.01, 4), part=st.floats(0, 1))
def test_persons_between_two_frames(
    first: list[tuple[str, Box]], second: list[tuple[str, Box]], gap: float, part: float
) -> None:
    before = Sighting(10.0, tuple(Person(*entry) for entry in first))
    after = Sighting(10.0 + gap, tuple(Person(*entry) for entry in second))
    when = 10.0 + gap * part
    found = persons_at(when, before, after)
    assert len({person.key for person in found}) == len(found), "nobody is there twice"
    assert {person.key for person in found} <= {key for key, _ in [*first, *second]}
    for person in found:
        ends = [box for key, box in [*first, *second] if key == person.key]
        for axis in range(4):
            values = [box[axis] for box in ends]
            assert min(values) - 1e-6 <= person.box[axis] <= max(values) + 1e-6
    if gap > BRIDGED_SECONDS and NEAR_SECONDS < gap * part < gap - NEAR_SECONDS:
        assert found == []


def test_persons_at_the_ends_of_the_video() -> None:
    sighting = Sighting(5.0, (Person("a", STANDING),))
    assert persons_at(4.8, None, sighting) == list(sighting.persons)
    assert persons_at(5.3, sighting, None) == list(sighting.persons)
    assert persons_at(5.0, sighting, None) == list(sighting.persons)
    assert (
        persons_at(9.0, sighting, None)
        == persons_at(1.0, None, sighting)
        == persons_at(1.0, None, None)
        == []
    )


def test_who_is_not_followed_is_not_there_twice() -> None:
    before = Sighting(0.0, (Person("detection_1", STANDING, tracked=False),))
    after = Sighting(0.4, (Person("detection_2", STANDING, tracked=False),))
    assert [p.key for p in persons_at(0.1, before, after)] == ["detection_1"]
    assert [p.key for p in persons_at(0.3, before, after)] == ["detection_2"]
