from __future__ import annotations

import numpy as np
import pytest

from frameloom.worker.pipelines.faces.identities import SAME_PERSON_COSINE, IdentityTracker, overlap

BOX = (10.0, 10.0, 50.0, 60.0)
ELSEWHERE = (400.0, 10.0, 50.0, 60.0)


def person(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def alike(base: np.ndarray, cosine: float, seed: int = 99) -> np.ndarray:
    """A unit vector at exactly this cosine from ``base``."""
    other = np.random.default_rng(seed).normal(size=base.shape)
    other -= base * float(other @ base)
    other /= np.linalg.norm(other)
    return (base * cosine + other * np.sqrt(1 - cosine**2)).astype(np.float32)


def test_numbers_follow_the_order_of_appearance_and_stay() -> None:
    tracker = IdentityTracker()
    a, b = person(1), person(2)
    assert tracker.assign([a], [BOX], 0.0) == [0]
    assert tracker.assign([b, alike(a, 0.8)], [ELSEWHERE, BOX], 0.2) == [1, 0]
    assert tracker.assign([alike(b, 0.7)], [BOX], 60.0) == [1], "known again after a minute, elsewhere"
    assert len(tracker) == 2


def test_the_threshold_divides() -> None:
    for cosine, expected in ((SAME_PERSON_COSINE + 0.02, 0), (SAME_PERSON_COSINE - 0.02, 1)):
        tracker = IdentityTracker()
        tracker.assign([person(1)], [BOX], 0.0)
        assert tracker.assign([alike(person(1), cosine)], [ELSEWHERE], 5.0) == [expected]


def test_a_turned_head_in_the_same_place_is_the_same_person_for_a_moment() -> None:
    turned = alike(person(1), SAME_PERSON_COSINE - 0.05)
    for time, box, expected in ((0.2, BOX, 0), (0.2, ELSEWHERE, 1), (3.0, BOX, 1)):
        tracker = IdentityTracker()
        tracker.assign([person(1)], [BOX], 0.0)
        assert tracker.assign([turned], [box], time) == [expected]


def test_another_person_in_the_same_place_is_another_person() -> None:
    tracker = IdentityTracker()
    tracker.assign([person(1)], [BOX], 0.0)
    assert tracker.assign([alike(person(1), 0.2)], [BOX], 0.2) == [1]


def test_two_faces_of_a_frame_are_never_one_person() -> None:
    tracker = IdentityTracker()
    tracker.assign([person(1)], [BOX], 0.0)
    twins = [alike(person(1), 0.9, seed=5), alike(person(1), 0.95, seed=6)]
    assert tracker.assign(twins, [ELSEWHERE, BOX], 5.0) == [1, 0], "the more alike one keeps the number"


def test_slow_change_is_followed() -> None:
    tracker = IdentityTracker()
    start, end = person(1), person(2)
    for step in range(400):
        mixed = start * (1 - step / 400) + end * step / 400
        vector = (mixed / np.linalg.norm(mixed)).astype(np.float32)
        assert tracker.assign([vector], [BOX], step * 2.0) == [0]


def test_a_crowd_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frameloom.worker.pipelines.faces.identities._LIMIT", 10)
    tracker = IdentityTracker()
    numbers = [tracker.assign([person(i)], [BOX], i * 5.0)[0] for i in range(30)]
    assert numbers == list(range(30)), "numbers are not used twice"
    assert len(tracker) == 10


def test_no_faces() -> None:
    assert IdentityTracker().assign([], [], 0.0) == []


def test_overlap() -> None:
    assert overlap(BOX, BOX) == pytest.approx(1.0)
    assert overlap(BOX, ELSEWHERE) == 0.0
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
