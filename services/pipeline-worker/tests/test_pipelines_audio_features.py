"""Audio features: windows at fixed times, librosa's own figures, and no trace of where blocks ended."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameloom.common.pipelines import Item, MediaInfo, Row
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.audio_features import AudioFeatures, FeaturesConfig
from frameloom.worker.pipelines.sounds import egemaps, figures
from frameloom.worker.pipelines.sounds.summary import Summary
from frameloom.worker.pipelines.sounds.windows import Grid, Samples, Window, Windows
from frameloom.worker.sound import SoundBlock

RATE = 16_000


@settings(deadline=None)
@given(
    length=st.integers(0, 3000),
    pieces=st.lists(st.integers(1, 900), min_size=1, max_size=8),
    hop=st.integers(1, 70),
    half=st.integers(1, 40),
    at_once=st.integers(1, 12),
    around=st.integers(0, 5),
)
def test_windows_do_not_depend_on_the_pieces(
    length: int, pieces: list[int], hop: int, half: int, at_once: int, around: int
) -> None:
    grid = Grid(hop, 2 * half, at_once, around)
    sound = np.arange(1, length + 1, dtype=np.float32)
    silent = np.zeros(half, np.float32)
    padded = np.concatenate((silent, sound, silent))
    windows, found = Windows(grid), list[Window]()
    place = 0
    while place < length:
        size = pieces[place % len(pieces)]
        found += windows.feed(sound[place : place + size])
        place += size
    found += windows.flush()
    frames = 1 + length // hop if length else 0
    assert sum(window.count for window in found) == frames
    for window in found[:-1]:
        assert window.count == at_once
    for window in found:
        first = window.first - window.before
        after = min(around, frames - window.first - window.count)
        assert window.before == min(around, window.first)
        whole = padded[first * hop : (window.first + window.count + after - 1) * hop + 2 * half]
        assert np.array_equal(window.samples, whole)
        own = padded[window.first * hop :][: (window.count - 1) * hop + 2 * half]
        assert np.array_equal(window.frames(grid, 2 * half), own)
        assert np.array_equal(window.frames(grid, 2 * half, around=True), whole)


def voice(seconds: float) -> Samples:
    """A gliding tone with overtones, between silences, over a little noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 60 * np.sin(time)) / RATE
    sound = sum(np.sin(number * phase) / number for number in range(1, 8)) * (np.sin(2 * time) > -0.3)
    noise = np.random.default_rng(5).normal(0, 0.003, len(time))
    return (0.2 * sound + noise).astype(np.float32)


def rows_of(pipeline: AudioFeatures, sound: Samples, block_seconds: float) -> list[Item]:
    pipeline.load()
    pipeline.begin(MediaInfo(container="wav", codec="pcm", duration_seconds=len(sound) / RATE))
    step, found = round(block_seconds * RATE), list[Item]()
    for begin in range(0, len(sound), step):
        found += pipeline.process(SoundBlock(sound[begin : begin + step], begin / RATE, RATE))
    return [*found, *pipeline.finish()]


def made(**config: Any) -> AudioFeatures:
    """Uses the user's model folder: what librosa compiles is kept there from run to run."""
    return AudioFeatures.configured(config, ModelStore(fetch=False))


def columns(rows: list[Row], key: str) -> np.ndarray[Any, Any]:
    return np.array([np.nan if row[key] is None else row[key] for row in rows])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_WINDOW_SECONDS", 1.5)
    monkeypatch.setattr(figures, "_AROUND_SECONDS", 0.5)
    sound = voice(5.2)
    everything = list(FeaturesConfig.model_json_schema()["properties"]["features"]["items"]["enum"])
    results = [
        rows_of(made(features=everything, hop_seconds=0.04), sound, seconds) for seconds in (0.03, 1.0, 60.0)
    ]
    assert results[0] == results[1] == results[2]


def test_the_figures_are_librosas_of_the_whole_file() -> None:
    import librosa

    sound = voice(23.0)
    pipeline = made(hop_seconds=0.032)
    rows = [item.row for item in rows_of(pipeline, sound, 3.7) if item.list == "frames"]
    hop = 512
    assert [row["time"] for row in rows] == [round(n * hop / RATE, 4) for n in range(1 + len(sound) // hop)]
    spectrum = np.abs(librosa.stft(sound, n_fft=1024, hop_length=hop, pad_mode="constant"))
    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=RATE, n_mels=64)
    decibels = librosa.power_to_db(mel, top_db=None)
    expected = {
        "rms": librosa.feature.rms(S=spectrum, frame_length=1024)[0],
        "spectral_centroid_hz": librosa.feature.spectral_centroid(S=spectrum, sr=RATE)[0],
        "spectral_bandwidth_hz": librosa.feature.spectral_bandwidth(S=spectrum, sr=RATE)[0],
        "spectral_rolloff_hz": librosa.feature.spectral_rolloff(S=spectrum, sr=RATE)[0],
        "spectral_flatness": librosa.feature.spectral_flatness(S=spectrum)[0],
        "mfcc": librosa.feature.mfcc(S=decibels, n_mfcc=13).T,
    }
    for key, values in expected.items():
        assert np.allclose(columns(rows, key), values, rtol=2e-4, atol=1e-4), key
    crossings = librosa.feature.zero_crossing_rate(sound, frame_length=1024, hop_length=hop)[0]
    assert np.allclose(columns(rows, "zero_crossing_rate")[1:-1], crossings[1:-1], atol=1e-5)
    pitch, _, probability = librosa.pyin(
        sound, fmin=65, fmax=500, sr=RATE, frame_length=1024, hop_length=hop, pad_mode="constant"
    )
    assert np.allclose(columns(rows, "voiced_probability"), probability, atol=1e-5)
    own = columns(rows, "f0_hz")
    assert np.array_equal(np.isnan(own), np.isnan(pitch)), "a second around a window is enough for it"
    assert np.allclose(own, pitch, rtol=1e-5, equal_nan=True)
    time = np.arange(len(rows)) * hop / RATE
    true = 140 + 60 * np.sin(time)
    assert np.nanmedian(np.abs(own - true) / true) < 0.02


def test_yin_and_low_voices() -> None:
    time = np.arange(2 * RATE) / RATE
    hum = (0.3 * np.sign(np.sin(2 * np.pi * 40 * time))).astype(np.float32)
    config = {"features": ["f0"], "pitch": "yin", "pitch_min_hz": 30}
    rows = [item.row for item in rows_of(made(**config), hum, 1.0) if item.list == "frames"]
    assert set(rows[0]) == {"time", "f0_hz"}
    assert np.median(columns(rows, "f0_hz")) == pytest.approx(40, abs=1)


def test_files_and_summary() -> None:
    pipeline = made(features=["mfcc", "rms"], mfcc_count=2)
    items = rows_of(pipeline, voice(1.0), 1.0)
    rows = [item.row for item in items if item.list == "frames"]
    summary = {item.row["figure"]: item.row for item in items if item.list == "summary"}
    assert list(summary) == ["rms", "mfcc_1", "mfcc_2"]
    loudness = columns(rows, "rms")
    assert summary["rms"]["frames"] == len(rows) == 51
    assert summary["rms"]["mean"] == pytest.approx(loudness.mean(), rel=1e-4)
    assert summary["rms"]["deviation"] == pytest.approx(loudness.std(), rel=1e-4)
    assert (summary["rms"]["least"], summary["rms"]["most"]) == (loudness.min(), loudness.max())
    files = {spec.suffix: spec for spec in pipeline.artefacts()}
    assert list(files) == ["_audio_features.json", "_audio_features.csv", "_audio_features.parquet"]
    headings = [name for name, _, _ in files["_audio_features.csv"].options["columns"]]
    assert headings == ["time", "rms", "mfcc_1", "mfcc_2"]


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.floats(-50, 50)), max_size=9), max_size=5))
def test_a_summary_in_parts_is_that_of_the_whole(parts: list[list[float | None]]) -> None:
    summary = Summary([("time", "time", "number"), ("pitch", "pitch", "number")])
    for part in parts:
        summary.add([{"time": 0.0, "pitch": value} for value in part])
    (row,) = summary.rows()
    there = [value for part in parts for value in part if value is not None]
    assert row["frames"] == len(there)
    if there:
        assert row["mean"] == pytest.approx(np.mean(there), rel=1e-4, abs=1e-6)
        assert row["deviation"] == pytest.approx(np.std(there), rel=1e-4, abs=1e-4)
    else:
        assert row["mean"] is row["least"] is None


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"features": []}, "features"),
        ({"features": ["loudness"]}, "features"),
        ({"pitch_min_hz": 10}, "pitch_min_hz"),
        ({"hop_seconds": 0}, "hop_seconds"),
    ],
)
def test_what_is_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskError, match=told):
        made(**config)


@pytest.mark.skipif(egemaps.installed(), reason="openSMILE is installed")
def test_without_opensmile_its_key_is_refused_with_the_reason() -> None:
    with pytest.raises(TaskError, match=r"openSMILE, whose licence is for research only.*\[opensmile\]"):
        made(egemaps=True)
    part = FeaturesConfig.model_json_schema()["properties"]["egemaps"]
    assert part["const"] is False
    assert part["description"] == egemaps.MISSING
    assert AudioFeatures.available(ModelStore(fetch=False)) == (True, None)


@pytest.mark.skipif(not egemaps.installed(), reason="needs the extra opensmile")
def test_egemaps() -> None:
    pipeline = made(features=["rms"], egemaps=True, egemaps_seconds=2)
    results = [
        [item.row for item in rows_of(pipeline, voice(5.0), seconds) if item.list == "egemaps"]
        for seconds in (0.5, 9.0)
    ]
    assert results[0] == results[1]
    assert [(row["start"], row["end"]) for row in results[0]] == [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]
    table = {spec.suffix: spec for spec in pipeline.artefacts()}["_egemaps.csv"].options["columns"]
    assert len(table) == 90
    assert {place for _, place, _ in table} == set(results[0][0])
    for before, after in pairwise(results[0]):
        assert before["loudness_sma3_amean"] != after["loudness_sma3_amean"]
