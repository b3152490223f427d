"""Segments, stitched, are what one run over the whole gives: on made-up rows, and on real media."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_clips as clips
from hypothesis import given, settings
from hypothesis import strategies as st
from scenedetect.detector import FlashFilter
from worker_segments import cut, segmented, whole

from frameloom.common import rows
from frameloom.common.pipelines import Item, MediaInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.media.spans import Span
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.person_tracking import PersonTracking
from frameloom.worker.pipelines.persons import stitching as persons
from frameloom.worker.pipelines.pieces import Piece, about, folder_of, open_pieces
from frameloom.worker.pipelines.scene_detection import SceneDetection
from frameloom.worker.pipelines.scenes import content
from frameloom.worker.pipelines.scenes import stitching as scenes
from frameloom.worker.pipelines.scenes.base import Cut
from frameloom.worker.pipelines.speech import stitching as speech
from frameloom.worker.pipelines.speech.activity import Span as Stretch
from frameloom.worker.pipelines.speech.utterances import Share
from frameloom.worker.pipelines.speech_recognition import SpeechRecognition

Fetch = Callable[..., ModelStore]
RED, GREEN, BLUE, GREY = (200, 30, 30), (120, 240, 160), (40, 40, 110), (128, 128, 128)
MEDIA = MediaInfo(container="mov", codec="h264", width=640, height=480, fps=10, duration_seconds=60)


def spans(seconds: float, count: int, overlap: float) -> list[Span]:
    borders = [round(seconds * place / count, 3) for place in range(count)]
    return [
        Span(place, count, begin, borders[place + 1] if place + 1 < count else None, overlap)
        for place, begin in enumerate(borders)
    ]


def within(span: Span, time: float) -> bool:
    return span.begin <= time and (span.until is None or time < span.until)


# Scenes


@given(st.sets(st.integers(0, 599)), st.integers(1, 6), st.sampled_from([0.0, 2.0, 10.0]))
def test_cuts_that_all_have_seen_are_there_once(at: set[int], count: int, overlap: float) -> None:
    all_of_them = [Cut(frame, frame / 10, 1.0) for frame in sorted(at)]
    parts = spans(60, count, min(overlap, 30 / count))
    found = [(span, [cut for cut in all_of_them if within(span, cut.timestamp)]) for span in parts]
    assert list(scenes.joined(found)) == all_of_them


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 299), max_size=30),
    st.sampled_from([0.0, 0.04, 0.2, 0.5, 1.0, 3.0]),
    st.sampled_from([4.0, 30.0, 29.97]),
)
def test_changes_filtered_later_are_what_the_detector_says_at_once(
    at: set[int], least: float, fps: float
) -> None:
    """PySceneDetect's own filter, fed frame by frame, against ours, fed with changes alone."""
    media = MEDIA.model_copy(update={"fps": fps})
    rate = Fraction(fps).limit_denominator(100_000)
    filtering = FlashFilter(FlashFilter.Mode.MERGE, least)
    expected = [
        kept.frame
        for frame in range(300)
        for kept in filtering.filter(content._Position(frame / fps, frame, rate), frame in at)
    ]
    changes = [Cut(frame, frame / fps, 1.0) for frame in sorted(at)]
    first, last = Cut(0, 0.0, 1.0), Cut(299, 299 / fps, 1.0)
    assert [cut.frame for cut in content.lasting(changes, first, last, media, least)] == expected


def test_scenes_of_segments_are_those_of_the_whole(tmp_path: Path) -> None:
    colours = [RED, GREEN, BLUE, GREY, RED, BLUE]
    clip = clips.write(
        tmp_path / "clip.mp4", clips.flat(320, 240, colours, 50), size=(320, 240), frames=300, gop=20
    )

    def make() -> SceneDetection:
        return SceneDetection.configured({}, ModelStore(tmp_path / "models", fetch=False))

    one = whole(make, clip)
    for count in (2, 3, 4):
        many = segmented(make, clip, cut(12.0, count, 1.0), tmp_path / str(count))
        assert many.lists == one.lists
        assert many.summary is not None
        assert one.summary is not None
        assert many.summary.artefacts == one.summary.artefacts
        assert (many.summary.backend, many.summary.media_seconds) == (
            one.summary.backend,
            one.summary.media_seconds,
        )
    assert len(one.lists["annotations"]) == 6


def test_a_video_with_one_key_frame_is_one_segment_and_some_empty_ones(tmp_path: Path) -> None:
    clip = clips.write(
        tmp_path / "clip.mp4", clips.flat(64, 48, [RED, GREEN, BLUE], 50), frames=150, gop=1000,
        options={"x264-params": "scenecut=0"},
    )  # fmt: skip

    def make() -> SceneDetection:
        return SceneDetection.configured({}, ModelStore(tmp_path / "models", fetch=False))

    many = segmented(make, clip, cut(6.0, 3, 0.5), tmp_path / "parts")
    assert many.lists == whole(make, clip).lists


# Persons


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[int, int, float]]:
    """Persons as (first frame, last frame, place): far enough from each other never to overlap."""
    people = []
    for place in range(draw(st.integers(0, 5))):
        first = draw(st.integers(0, 599))
        people.append((first, draw(st.integers(first, 599)), 120.0 * place))
    return people


def frame_of(number: int, present: list[tuple[int, float]]) -> persons.Frame:
    boxes = np.array([[left, 0.0, left + 40, 100.0] for _, left in present], np.float64).reshape(-1, 4)
    return persons.Frame(number / 10, number, boxes, np.ones(len(present)), tuple(one for one, _ in present))


def seen_by(span: Span, people: list[tuple[int, int, float]]) -> Iterator[persons.Frame]:
    """What a segment with a perfect tracker sees: it numbers persons in order of their appearance."""
    numbers: dict[int, int] = {}
    for number in range(600):
        if within(span, number / 10):
            there = [i for i, (first, last, _) in enumerate(people) if first <= number <= last]
            for one in there:
                numbers.setdefault(one, len(numbers) + 1)
            yield frame_of(number, [(numbers[one], people[one][2]) for one in there])


@settings(deadline=None)
@given(walks(), st.integers(1, 4))
def test_every_frame_once_and_every_person_one_number(
    people: list[tuple[int, int, float]], count: int
) -> None:
    parts = spans(60, count, 4.0)
    seam, ids, frames = persons.Seam(), dict[int, str](), []
    who: dict[float, set[str]] = {}
    count_of_all = 0
    for place, span in enumerate(parts):
        after = parts[place + 1] if place + 1 < count else None
        known: dict[int, str] = {}
        for one in seam.share(span, after, seen_by(span, people)):
            if isinstance(one, dict):
                known = {number: ids[other] for number, other in one.items() if other in ids}
                continue
            frames.append(one.number)
            for number, box in zip(one.persons, one.boxes, strict=True):
                assert number is not None
                if number not in known:
                    count_of_all += 1
                    known[number] = f"p{count_of_all}"
                who.setdefault(float(box[0]), set()).add(known[number])
        ids = known
    assert frames == list(range(600))
    # Somebody seen in the first half of an overlap only has nothing to be joined by: nobody is, here.
    assert all(len(names) == 1 for names in who.values())


def test_the_overlap_votes_and_a_stranger_stays_one() -> None:
    left = [frame_of(n, [(1, 0.0), (2, 200.0)]) for n in range(5)]
    right = [frame_of(n, [(7, 200.0), (8, 0.0), (9, 400.0)]) for n in range(2, 7)]
    assert persons.same_persons(left, right) == {7: 2, 8: 1}


def test_boxes_come_back_from_their_rows() -> None:
    image = {"timestamp": 1.5, "frame_number": 15}
    box = {"bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.5, "track_id": 3}
    items = [
        Item(list="annotations", row=box),
        Item(list="images", row=image),
        Item(list="images", row=image),
    ]
    first, second = persons.frames(items)
    assert first.boxes.tolist() == [[1.0, 2.0, 4.0, 6.0]]
    assert (first.persons, second.persons, len(second.boxes)) == ((3,), (), 0)


@pytest.mark.models
def test_persons_of_segments_are_those_of_the_whole(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched("nanodet", "nanodet-graph", "mobilenetv2-bottleneck", "wolfgang")
    clip = store.path("wolfgang")

    def make() -> PersonTracking:
        return PersonTracking.configured({"pps": 2}, store)

    one = whole(make, clip)
    seconds = one.summary.media_seconds if one.summary else 0
    many = segmented(make, clip, cut(seconds, 3, 2.0), tmp_path / "parts")

    def boxes(lists: Any) -> list[Any]:
        return [(row["frame_number"], row["bbox"]) for row in lists["annotations"]]

    assert many.lists["images"] == one.lists["images"]
    same = set(map(str, boxes(one.lists))) & set(map(str, boxes(many.lists)))
    assert len(same) >= 0.97 * max(len(boxes(one.lists)), len(boxes(many.lists)))
    before, after = one.lists["person_tracks"], many.lists["person_tracks"]
    assert abs(len(before) - len(after)) <= 1
    longest = max(before, key=lambda row: row["detections"])
    again = max(after, key=lambda row: row["detections"])
    assert again["detections"] == pytest.approx(longest["detections"], abs=2)


# Speech


@st.composite
def talks(draw: st.DrawFn) -> list[Stretch]:
    """Stretches of speech with pauses between them."""
    found, at = [], 0
    for _ in range(draw(st.integers(0, 12))):
        begin = at + draw(st.integers(1, 300))
        at = begin + draw(st.integers(1, 500))
        found.append(Stretch(begin, at))
    return found


@settings(deadline=None)
@given(talks(), st.integers(1, 5), st.integers(0, 100), st.integers(20, 200))
def test_speech_is_shared_out_without_loss_or_doubling(
    said: list[Stretch], count: int, overlap: int, most: int
) -> None:
    """Each hears its own part and the overlap on both sides; long stretches come in pieces, cut anywhere."""
    end = max([one.end for one in said], default=0) + 1
    borders = [end * place // count for place in range(count)]
    taken: list[int] = []
    for place, begin in enumerate(borders):
        last = place + 1 == count
        until = end if last else borders[place + 1] + overlap
        hears_from = max(0, begin - overlap) if place else 0
        share = Share(begin if place else None, None if last else borders[place + 1], overlap, doubt=0)
        for one in said:
            start, stop = max(one.begin, hears_from), min(one.end, until)
            while start < stop:
                piece = Stretch(start, min(start + most, stop))
                got = share.take(piece, goes_on=piece.end < stop)
                taken += range(got.begin, got.end) if got else []
                start = piece.end
    spoken = [sample for one in said for sample in range(one.begin, one.end)]
    assert sorted(set(taken)) == spoken if overlap else True
    assert len(taken) == len(set(taken))


def test_what_two_segments_both_say_is_said_once() -> None:
    first = [
        {"id": 1, "start": 0.0, "end": 4.0, "text": "a"},
        {"id": 2, "start": 9.0, "end": 12.0, "text": "b"},
    ]
    second = [
        {"id": 1, "start": 9.1, "end": 11.9, "text": "b"},
        {"id": 2, "start": 11.8, "end": 15.0, "text": "c"},
    ]
    joined = list(speech.joined([first, second]))
    assert [(row["id"], row["text"]) for row in joined] == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.models
def test_speech_of_segments_is_that_of_the_whole(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched("silero-vad", *SpeechRecognition.optional_models, "jfk")
    clip = store.path("jfk")

    def make() -> SpeechRecognition:
        return SpeechRecognition.configured({"whisper_model": "tiny.en"}, store)

    one = whole(make, clip)
    seconds = one.summary.media_seconds if one.summary else 0
    many = segmented(make, clip, cut(seconds, 2, 2.0), tmp_path / "parts")

    def words(lists: Any) -> list[str]:
        text = " ".join(row["text"] for row in lists["segments"])
        return "".join(c for c in text.lower() if c.isalnum() or c == " ").split()

    assert len(words(one.lists)) > 10
    assert len(set(words(one.lists)) ^ set(words(many.lists))) <= 3
    assert abs(len(words(one.lists)) - len(words(many.lists))) <= 2


# What lies on disk


def test_pieces_that_are_not_all_there_are_no_whole(tmp_path: Path) -> None:
    first, second = spans(10, 2, 1.0)

    def lay(span: Span, *items: Item) -> None:
        folder = folder_of(tmp_path, span.index)
        folder.mkdir()
        (folder / "00000000.jsonl.gz").write_bytes(rows.pack(items))

    row = Item(list="a", row={"text": "ä\n"})
    lay(first, row, about(first, MEDIA, "d", 3))
    with pytest.raises(TaskError, match="Not all"):
        open_pieces(tmp_path)
    lay(second, row)
    with pytest.raises(TaskError, match="did not tell its end"):
        open_pieces(tmp_path)
    file = next(folder_of(tmp_path, 1).iterdir())
    file.write_bytes(rows.pack([about(second, MEDIA, "d", 0)]))
    one, two = open_pieces(tmp_path)
    assert (one.span, one.media, one.frames) == (first, MEDIA, 3)
    assert list(one.items("a")) == [row]
    assert list(two.items("a", "b")) == []
    assert isinstance(two, Piece)
    assert json.loads(rows.cut_out(rows.pack([row]), "a")[0]) == row.row
