"""Emotions over time, and how face-api's networks are read; without their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from frameloom.worker.pipelines.faces.crops import cut, square
from frameloom.worker.pipelines.faces.moods import MoodSmoother
from frameloom.worker.pipelines.persons.tfjs import UnknownFormatError, read_weights

STEPS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.integers(0, 3),
        arrays.arrays(np.float64, 7, elements=st.floats(0.01, 1)),
    ),
    max_size=30,
)


@given(steps=STEPS, fade=st.sampled_from([0.0, 0.1, 0.4, 10.0]))
def test_smoothed_scores_stay_between_those_that_were_seen(steps: list[Any], fade: float) -> None:
    smoother = MoodSmoother(fade)
    now, seen = 0.0, {}
    for wait, person, raw in steps:
        now += wait
        scores = raw / raw.sum()
        smoothed = smoother.add(person, scores, now)
        seen.setdefault(person, []).append(scores)
        assert smoothed.sum() == pytest.approx(1)
        low, high = np.min(seen[person], axis=0), np.max(seen[person], axis=0)
        assert np.all(smoothed >= low - 1e-9)
        assert np.all(smoothed <= high + 1e-9)
        if fade == 0:
            np.testing.assert_array_equal(smoothed, scores)


def test_one_odd_frame_changes_nothing_and_a_lasting_change_shows() -> None:
    sad, odd = np.array([0.1, 0.9]), np.array([1.0, 0.0])
    smoother = MoodSmoother(0.4)
    told = [smoother.add(0, odd if i == 5 else sad, i / 10).argmax() for i in range(10)]
    assert told == [1] * 10
    assert [smoother.add(0, odd, 1 + i / 10).argmax() for i in range(10)][-1] == 0


def test_a_person_who_comes_back_after_long_starts_anew() -> None:
    smoother = MoodSmoother(0.4)
    smoother.add(0, np.array([1.0, 0.0]), 0.0)
    assert smoother.add(0, np.array([0.0, 1.0]), 60.0)[1] == pytest.approx(1)


def test_who_has_been_away_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frameloom.worker.pipelines.faces.moods._LIMIT", 2)
    smoother = MoodSmoother(100.0)
    for person in (0, 1, 0, 2):
        smoother.add(person, np.array([1.0, 0.0]), 0.0)
    assert smoother.add(0, np.array([0.0, 1.0]), 0.0)[0] == 1.0
    assert smoother.add(1, np.array([0.0, 1.0]), 0.0)[0] == 0.0


def test_bytes_with_a_scale_are_worked_out() -> None:
    entry = {
        "name": "a",
        "shape": [3],
        "dtype": "float32",
        "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
    }
    found = read_weights([entry], bytes([0, 2, 255]))
    np.testing.assert_array_equal(found["a"], np.array([-1.0, 0.0, 126.5], np.float32))
    with pytest.raises(UnknownFormatError):
        read_weights([entry], bytes(4))
    del entry["quantization"]["scale"]  # type: ignore[attr-defined]
    with pytest.raises(UnknownFormatError):
        read_weights([entry], bytes(3))


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from frameloom.worker.pipelines.faces.expressions import load_network

    weights = [{"name": "fc/bias", "shape": [7], "dtype": "float32"}]
    (tmp_path / "x-weights_manifest.json").write_text(json.dumps([{"paths": ["x.bin"], "weights": weights}]))
    (tmp_path / "x.bin").write_bytes(np.zeros(7, np.float32).tobytes())
    with pytest.raises(RuntimeError, match="Missing key"):
        load_network(tmp_path, "x", 7)


def test_a_crop_of_a_small_and_of_a_large_face_are_of_the_same_place() -> None:
    picture = np.zeros((800, 800, 3), np.uint8)
    picture[300:500, 300:500] = 255
    for shrink in (1, 4, 8):
        small = picture[::shrink, ::shrink]
        crop = cut(small, *square((200 / shrink, 200 / shrink, 400 / shrink, 400 / shrink), 1.0), 112)
        assert crop.shape == (112, 112, 3)
        inside, outside = crop[34:78, 34:78], crop[:22]
        assert inside.mean() > 250
        assert outside.mean() < 5
    assert cut(picture, -900.0, -900.0, 100.0, 112).max() == 0, "a face beside the picture"
