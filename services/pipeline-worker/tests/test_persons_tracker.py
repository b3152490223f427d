"""The tracker on boxes whose truth is known, and who is who when tracks break off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameloom.worker.pipelines.persons.bytetrack import ByteTracker, Track
from frameloom.worker.pipelines.persons.motion import Motion
from frameloom.worker.pipelines.persons.people import People, size_label

Box = tuple[float, float, float, float]
SIZE = (1000, 800)


def person(x: float, y: float = 300.0, width: float = 40.0, height: float = 100.0) -> Box:
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def follow(
    tracker: ByteTracker, frames: list[dict[str, tuple[Box, float]]], interval: float
) -> Iterator[dict[str, int | None]]:
    """The track of each named person in each frame."""
    for index, frame in enumerate(frames):
        boxes = np.array([box for box, _ in frame.values()]).reshape(-1, 4)
        scores = np.array([score for _, score in frame.values()])
        tracks = tracker.update(boxes, scores, index * interval)
        yield dict(zip(frame, [t.number if t and t.confirmed else None for t in tracks], strict=True))


@pytest.mark.parametrize("interval", [1 / 30, 0.1, 0.2, 0.5])
def test_two_who_cross_keep_their_numbers(interval: float) -> None:
    times = np.arange(0, 8, interval)
    frames = [{"a": (person(100 + 80 * t, 300), 0.9), "b": (person(740 - 80 * t, 335), 0.9)} for t in times]
    seen = list(follow(ByteTracker(0.4, 1.0), frames, interval))
    assert {frame["a"] for frame in seen} == {1}
    assert {frame["b"] for frame in seen} == {2}


def test_one_a_second_is_enough_for_a_walk() -> None:
    frames = [{"a": (person(100 + 40 * t), 0.9), "b": (person(700), 0.9)} for t in range(12)]
    seen = list(follow(ByteTracker(0.4, 1.0), frames, 1.0))
    assert {(frame["a"], frame["b"]) for frame in seen} == {(1, 2)}


def test_who_is_hidden_for_a_moment_comes_back_as_the_same() -> None:
    frames = [{"a": (person(100 + 6 * i), 0.9)} if not 20 <= i < 28 else {} for i in range(50)]
    seen = list(follow(ByteTracker(0.4, 1.0), frames, 0.1))
    assert {frame["a"] for frame in seen if frame} == {1}


def test_who_is_away_too_long_is_another_track() -> None:
    frames = [{"a": (person(300), 0.9)} if not 20 <= i < 40 else {} for i in range(60)]
    seen = [frame["a"] for frame in follow(ByteTracker(0.4, 1.0), frames, 0.1) if frame]
    assert seen == [1] * 20 + [None] + [2] * 19


def test_low_scores_continue_a_track_and_found_none() -> None:
    frames = [{"a": (person(300), 0.9 if i < 5 else 0.2), "b": (person(600), 0.2)} for i in range(20)]
    seen = list(follow(ByteTracker(0.4, 1.0), frames, 0.1))
    assert {frame["a"] for frame in seen} == {1}
    assert {frame["b"] for frame in seen} == {None}


def test_a_track_begins_with_a_good_box() -> None:
    frames = [{"a": (person(300), 0.45 if i < 10 else 0.6)} for i in range(20)]
    tracker = ByteTracker(0.4, 1.0, start_score=0.5)
    assert [frame["a"] for frame in follow(tracker, frames, 0.1)] == [None] * 11 + [1] * 9


def test_a_box_seen_once_is_no_person_unless_frames_are_rare() -> None:
    frames = [{"a": (person(300), 0.9)} for _ in range(8)]
    frames[4] = {**frames[4], "flash": (person(700), 0.9)}
    assert list(follow(ByteTracker(0.4, 1.0), frames, 0.1))[4]["flash"] is None
    assert list(follow(ByteTracker(0.4, 1.0), frames, 2.0))[4]["flash"] == 2


FRAMES = st.lists(
    st.lists(st.tuples(st.floats(0, 900), st.floats(0, 700), st.floats(0.05, 1.0)), max_size=6),
    min_size=1,
    max_size=12,
)


@given(frames=FRAMES, interval=st.sampled_from([0.0, 0.04, 0.5, 3.0]))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_no_number_is_twice_in_a_frame_or_used_again(
    frames: list[list[tuple[float, float, float]]], interval: float
) -> None:
    tracker = ByteTracker(0.4, 1.0)
    last_seen: dict[int, int] = {}
    for index, frame in enumerate(frames):
        boxes = np.array([person(x, y) for x, y, _ in frame]).reshape(-1, 4)
        tracks = tracker.update(boxes, np.array([score for _, _, score in frame]), index * interval)
        numbers = [track.number for track in tracks if track is not None]
        assert len(numbers) == len(set(numbers))
        assert all(not track.ended and not track.lost for track in tracks if track is not None)
        for number in numbers:
            gap = (index - last_seen.get(number, index)) * interval
            assert gap <= max(1.0, 2.5 * interval) + 1e-9
            last_seen[number] = index


def test_the_filter_learns_a_speed_whatever_the_rate() -> None:
    for interval in (1 / 30, 0.5):
        motion = Motion.empty()
        motion.add(np.array([person(100)]))
        for step in range(1, round(4 / interval)):
            motion.predict(interval)
            motion.update(np.array([0]), np.array([person(100 + 50 * step * interval)]))
        assert motion.speed[0, 0] == pytest.approx(50, abs=3)
        assert (motion.cov[0] > 0).all()
        assert (motion.cov[0] * motion.cov[2] >= motion.cov[1] ** 2).all()


# --- persons

RED, BLUE = np.eye(8)[0], np.eye(8)[1]


def left_as(people: People, look: np.ndarray, x: float) -> Track:
    track = Track(1, confirmed=True, seen=0.0)
    people.decide(track, np.array(person(x)), 0.0, look)
    known = people.of(track)
    assert known is not None
    known.looks(look)
    track.lost = track.ended = True
    people.departed(0.5)
    return track


@pytest.mark.parametrize(
    ("look", "x", "time", "number"),
    [(RED, 320, 3.0, 1), (BLUE, 320, 3.0, 2), (RED, 900, 3.0, 2), (RED, 320, 11.0, 2), (None, 320, 3.0, 2)],
)
def test_who_comes_back_is_known_by_looks_place_and_time(
    look: np.ndarray | None, x: float, time: float, number: int
) -> None:
    people = People(relink_seconds=10.0, relink_threshold=0.8)
    left_as(people, RED, 300)
    people.departed(time)
    track = Track(2, confirmed=True, seen=time)
    people.decide(track, np.array(person(x)), time, look)
    known = people.of(track)
    assert known is not None
    assert known.number == number
    assert people.joined == (number == 1)


def test_nobody_who_is_in_the_picture_is_joined() -> None:
    people = People(10.0, 0.8)
    first = Track(1, confirmed=True, seen=1.0)
    people.decide(first, np.array(person(300)), 0.0, RED)
    known = people.of(first)
    assert known is not None
    known.looks(RED)
    people.decide(Track(2, confirmed=True, seen=1.0), np.array(person(310)), 1.0, RED)
    assert people.count == 2


def test_persons_are_handed_out_once_and_forgotten() -> None:
    people = People(10.0, 0.8)
    left_as(people, RED, 300)
    assert people.departed(5.0) == []
    assert [gone.number for gone in people.departed(10.5)] == [1]
    assert people.departed(11.0) == []
    assert people.rest() == []


@pytest.mark.parametrize(
    ("heights", "bottoms", "labels"),
    [
        ((300, 130), (600, 590), ["parent", "infant"]),
        ((300, 280), (600, 590), ["parent", "parent"]),
        ((300, 130), (600, 300), ["unknown", "unknown"]),  # farther away, not smaller
        ((300, 200), (600, 590), ["parent", "unknown"]),
    ],
)
def test_sizes_are_compared_on_the_same_ground(
    heights: tuple[int, ...], bottoms: tuple[int, ...], labels: list[str]
) -> None:
    people = People(10.0, 0.8)
    boxes = [
        np.array((200 + 300 * i, bottom - height, 300 + 300 * i, bottom), float)
        for i, (height, bottom) in enumerate(zip(heights, bottoms, strict=True))
    ]
    tracks = [Track(i + 1, confirmed=True, seen=0.0) for i in range(len(boxes))]
    for track, box in zip(tracks, boxes, strict=True):
        people.decide(track, box, 0.0, None)
    known = [p for p in map(people.of, tracks) if p is not None]
    assert size_label(known[0], 0.55).label == "unknown", "nothing is known yet"
    for _ in range(6):
        people.compare(known, boxes, SIZE)
    told = [size_label(p, 0.55) for p in known]
    if labels[0] == "unknown":
        assert told[1].label == "unknown"
    else:
        assert [label.label for label in told] == labels
    for label in told:
        assert (label.method == "none") == (label.label == "unknown")
        assert 0 <= label.confidence < 1
