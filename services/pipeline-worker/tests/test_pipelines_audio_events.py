"""Audio events: what YAMNet hears, the events made of its scores, and real sounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameloom.common.pipelines import Item, MediaInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.audio_events import AudioEvents, EventsConfig
from frameloom.worker.pipelines.runner import run
from frameloom.worker.pipelines.sounds.classes import CLASSES, VOICE_SOUNDS
from frameloom.worker.pipelines.sounds.events import Event, EventFinder, Rules
from frameloom.worker.pipelines.sounds.logmel import SAMPLES, Patches, Samples, log_mel, mel_weights
from frameloom.worker.pipelines.sounds.yamnet import FILES
from frameloom.worker.sound import SoundBlock

Fetch = Callable[..., ModelStore]

_SLOT = 0.5


def test_a_frame_is_what_its_definition_says() -> None:
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, SAMPLES).astype(np.float32)
    frame = [float(samples[160 * 7 + n]) * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400)) for n in range(400)]
    energy = 0.0
    low, middle, high = (_edge(band) for band in (20, 21, 22))
    for k in range(1, 257):
        part = sum(value * complex(*_turn(k, n)) for n, value in enumerate(frame))
        mel = 1127 * math.log(1 + k * 8000 / 256 / 700)
        weight = max(0.0, min((mel - low) / (middle - low), (high - mel) / (high - middle)))
        energy += weight * abs(part)
    assert log_mel(samples)[7, 20] == pytest.approx(math.log(energy + 0.001), abs=1e-4)


def _edge(number: int) -> float:
    lowest, highest = (1127 * math.log(1 + hz / 700) for hz in (125, 7500))
    return lowest + (highest - lowest) * number / 65


def _turn(k: int, n: int) -> tuple[float, float]:
    angle = -2 * math.pi * k * n / 512
    return math.cos(angle), math.sin(angle)


def test_silence_and_the_edges_of_the_bands() -> None:
    assert np.allclose(log_mel(np.zeros(SAMPLES, np.float32)), math.log(0.001))
    weights = mel_weights()
    assert weights.shape == (257, 64)
    assert not weights[:4].any(), "nothing below 125 Hz"
    assert not weights[241:].any(), "nothing above 7500 Hz"


@settings(deadline=None)
@given(
    length=st.integers(0, 4 * SAMPLES),
    pieces=st.lists(st.integers(1, 2 * SAMPLES), min_size=1, max_size=12),
    hop=st.integers(10, 96),
)
def test_stretches_do_not_depend_on_the_pieces(length: int, pieces: list[int], hop: int) -> None:
    sound = np.arange(length, dtype=np.float32)
    patches = Patches(hop)
    found: list[Samples] = []
    place = 0
    while place < length:
        size = pieces[len(found) % len(pieces)]
        found += [stretch.copy() for stretch in patches.feed(sound[place : place + size])]
        place += size
    found += patches.flush()
    covered = 0
    for number, stretch in enumerate(found):
        begin = number * hop * 160
        own = sound[begin : begin + SAMPLES]
        assert np.array_equal(stretch, np.pad(own, (0, SAMPLES - len(own))))
        assert begin + len(own) > covered, "each has sound that the one before had not"
        covered = begin + len(own)
    assert covered == length


def finder(**rules: float) -> EventFinder:
    return EventFinder(Rules(begin_above=0.5, end_below=0.3, **rules))


def found_in(scores: list[list[float]], events: EventFinder) -> list[Event]:
    found: list[Event] = []
    for number, slot in enumerate(scores):
        found += events.feed(number * _SLOT, (number + 1) * _SLOT, np.array(slot, np.float32))
    return found + events.flush()


def test_an_event_goes_on_above_the_lower_threshold() -> None:
    (event,) = found_in([[0.4], [0.6], [0.4], [0.4], [0.2]], finder(join_seconds=0.0))
    assert (event.begin, event.end) == (0.5, 2.0), "but it does not begin there"
    assert event.peak == pytest.approx(0.6)
    assert event.mean == pytest.approx(1.4 / 3)


def test_a_pause_is_bridged_when_it_is_short() -> None:
    scores = [[0.9], [0.0], [0.9], [0.0], [0.0], [0.9]]
    assert [(e.begin, e.end) for e in found_in(scores, finder(join_seconds=0.5))] == [(0.0, 1.5), (2.5, 3.0)]
    assert len(found_in(scores, finder(join_seconds=1.0))) == 1
    assert len(found_in(scores, finder(join_seconds=0.0))) == 3


def test_a_pause_does_not_end_with_what_is_only_above_the_lower_threshold() -> None:
    events = found_in([[0.9], [0.0], [0.4], [0.4]], finder(join_seconds=0.5))
    assert [(e.begin, e.end) for e in events] == [(0.0, 0.5)]


def test_a_short_one_is_left_out() -> None:
    scores = [[0.9], [0.0], [0.9], [0.9]]
    events = found_in(scores, finder(join_seconds=0.0, least_seconds=1.0))
    assert [(e.begin, e.end) for e in events] == [(1.0, 2.0)]


SCORES = st.lists(st.lists(st.sampled_from([0.0, 0.35, 0.8]), min_size=3, max_size=3), max_size=40)


@settings(deadline=None)
@given(scores=SCORES, join=st.sampled_from([0.0, 0.5, 1.0]))
def test_events_hold_what_they_promise(scores: list[list[float]], join: float) -> None:
    events = found_in(scores, finder(join_seconds=join))
    assert [event.begin for event in events] == sorted(event.begin for event in events)
    for label in range(3):
        own = [event for event in events if event.label == label]
        for before, after in pairwise(own):
            assert after.begin - before.end > join
        for number, slot in enumerate(scores):
            inside = any(e.begin <= number * _SLOT and (number + 1) * _SLOT <= e.end for e in own)
            assert inside or slot[label] < 0.5
        for event in own:
            assert event.peak == pytest.approx(0.8)
            assert 0.3 <= event.mean <= event.peak


def test_the_preset_names_what_there_is() -> None:
    assert set(VOICE_SOUNDS) < set(CLASSES)
    assert len(CLASSES) == len(set(CLASSES)) == 521
    assert not any("emotion" in name.lower() for name in VOICE_SOUNDS)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"classes": ["Laughing"]}, "'Laughing' is no class of AudioSet"),
        ({"preset": "emotions"}, "preset"),
        ({"event_threshold": 0.3, "end_threshold": 0.4}, "end_threshold is above"),
        ({"hop_seconds": 1.0}, "hop_seconds"),
        ({"exports": ["rttm"]}, "exports"),
    ],
)
def test_what_is_refused(tmp_path: Path, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskError, match=told):
        AudioEvents.configured(config, ModelStore(tmp_path, fetch=False))


def test_a_low_threshold_alone_is_fine() -> None:
    assert EventsConfig(event_threshold=0.1).rules.end_below == pytest.approx(0.05)


class Scripted(AudioEvents):
    """Hears what a test says, so that times can be checked."""

    def load(self) -> None:
        self._network = self  # type: ignore[assignment]

    def scores(self, stretch: Samples) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Music while the middle of the stretch is loud."""
        scores = np.zeros(len(CLASSES), np.float32)
        middle = stretch[SAMPLES // 2 - 800 : SAMPLES // 2 + 800]
        scores[CLASSES.index("Music" if np.abs(middle).mean() > 0.1 else "Silence")] = 0.9
        return scores


def rows_of(pipeline: AudioEvents, sound: Samples, block_seconds: float) -> list[Item]:
    pipeline.load()
    pipeline.begin(MediaInfo(container="wav", codec="pcm", duration_seconds=len(sound) / 16_000))
    step = round(block_seconds * 16_000)

    def rows() -> Iterator[Item]:
        for begin in range(0, len(sound), step):
            yield from pipeline.process(SoundBlock(sound[begin : begin + step], begin / 16_000, 16_000))
        yield from pipeline.finish()

    return list(rows())


@pytest.mark.parametrize("hop", [0.1, 0.48, 0.96])
def test_times(tmp_path: Path, hop: float) -> None:
    sound = np.zeros(round(10.3 * 16_000), np.float32)
    sound[4 * 16_000 : 7 * 16_000] = 0.5
    store = ModelStore(tmp_path, fetch=False)
    results = [
        rows_of(Scripted.configured({"hop_seconds": hop}, store), sound, block) for block in (0.3, 2.0, 60.0)
    ]
    assert results[0] == results[1] == results[2], "blocks do not show"
    events = [item.row for item in results[0] if item.list == "events"]
    assert [event["label"] for event in events] == ["Silence", "Music", "Silence"]
    assert events[1]["start"] == pytest.approx(4.0, abs=hop / 2 + 0.06)
    assert events[1]["end"] == pytest.approx(7.0, abs=hop / 2 + 0.06)
    moments = [item.row for item in results[0] if item.list == "moments"]
    assert (moments[0]["start"], moments[-1]["end"]) == (0.0, 10.3)
    for before, after in pairwise(moments):
        assert before["end"] == after["start"]


def test_only_some_classes_and_no_moments(tmp_path: Path) -> None:
    config = {"classes": ["Music"], "moments": False, "exports": ["webvtt", "elan"]}
    pipeline = Scripted.configured(config, ModelStore(tmp_path, fetch=False))
    rows = rows_of(pipeline, np.full(40_000, 0.5, np.float32), 1.0)
    assert [(item.list, item.row["label"]) for item in rows] == [("events", "Music")]
    files = {spec.suffix: spec for spec in pipeline.artefacts()}
    assert list(files) == [f"_audio_events.{suffix}" for suffix in ("json", "csv", "vtt", "eaf")]
    assert files["_audio_events.json"].lists == ("events",)
    assert files["_audio_events.json"].head["info"]["classes"] == ["Music"]


def test_a_sound_shorter_than_a_look(tmp_path: Path) -> None:
    rows = rows_of(
        Scripted.configured({}, ModelStore(tmp_path, fetch=False)), np.zeros(1600, np.float32), 1.0
    )
    assert [(item.list, item.row["start"], item.row["end"]) for item in rows] == [
        ("moments", 0.0, 0.1),
        ("events", 0.0, 0.1),
    ]


@pytest.mark.models
def test_the_names_are_those_of_the_class_map(fetched: Fetch) -> None:
    lines = fetched("yamnet-classes").path("yamnet-classes").read_text("utf-8").splitlines()[1:]
    assert [line.split(",", 2)[2].strip('"') for line in lines] == list(CLASSES)


@pytest.mark.models
@pytest.mark.parametrize(
    ("sample", "label"), [("jfk", "Speech"), ("saxophone", "Music"), ("wolfgang", "Silence")]
)
def test_real_sounds(fetched: Fetch, sample: str, label: str) -> None:
    store = fetched(*FILES, sample)
    rows: list[Item] = []
    pipeline = AudioEvents.configured({}, store)
    summary = run(
        pipeline,
        store.path(sample),
        emit=lambda items, begin, end: rows.extend(items),
        progress=lambda progress: None,
    )
    events = [item.row for item in rows if item.list == "events"]
    longest = max(events, key=lambda row: row["end"] - row["start"])
    assert longest["label"] == label
    assert longest["end"] - longest["start"] > 0.8 * summary.media_seconds
    assert longest["confidence"] > 0.6
    assert set(summary.models) == set(FILES)
