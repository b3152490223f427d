"""Speakers: groups of voices, turns, and a real conversation against its reference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameloom.common.pipelines import Item
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.audio_processing import AudioProcessing
from frameloom.worker.pipelines.base import SoundPipeline
from frameloom.worker.pipelines.runner import run
from frameloom.worker.pipelines.speaker_diarization import SpeakerDiarization
from frameloom.worker.pipelines.speech.clusters import cluster
from frameloom.worker.pipelines.speech.turns import Turn, speaker_of
from frameloom.worker.pipelines.speech.voices import mel_bands


def voices(order: list[int], noise: float = 0.05, seed: int = 3) -> np.ndarray:
    """Vectors of so many different voices, in this order."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(order, default=0) + 1, 64))
    made = centres[order] + noise * rng.normal(size=(len(order), 64))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("speakers", [1, 2, 3, 5])
def test_the_number_of_speakers_is_found(speakers: int) -> None:
    order = [place % speakers for place in range(40 * speakers)]
    assert cluster(voices(order), 1, 10).tolist() == order


def test_more_than_fit_at_once() -> None:
    order = [(place // 50) % 3 for place in range(6000)]
    assert cluster(voices(order), 1, 10).tolist() == order


def test_the_number_can_be_given() -> None:
    order = [place % 4 for place in range(80)]
    assert len(set(cluster(voices(order), 2, 2).tolist())) == 2
    assert len(set(cluster(voices([0] * 30), 3, 3).tolist())) <= 3


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 4), st.integers(0, 4))
def test_labels_count_from_zero_in_order_of_appearance(order: list[int], least: int, more: int) -> None:
    labels = cluster(voices(order), least, least + more).tolist()
    assert len(labels) == len(order)
    seen = list(dict.fromkeys(labels))
    assert seen == list(range(len(seen)))
    assert len(seen) <= max(least + more, 1)


def test_who_speaks_most_in_a_sentence() -> None:
    turns = [Turn(0, 2, 0), Turn(2, 5, 1), Turn(5, 5.5, 0)]
    assert speaker_of(turns, 1.0, 4.0) == 1
    assert speaker_of(turns, 0.0, 2.5) == 0
    assert speaker_of(turns, 8.0, 9.0) is None


def test_mel_bands_follow_the_pitch() -> None:
    time = np.arange(25_600) / 16_000
    peaks = [
        int(mel_bands(np.sin(2 * np.pi * hertz * time).astype(np.float32)).mean(axis=0).argmax())
        for hertz in (200, 400, 800, 1600, 3200, 6400)
    ]
    assert peaks == sorted(set(peaks))
    assert mel_bands(np.zeros(10, np.float32)).shape == (160, 40)


def heard(pipeline: SoundPipeline, store: ModelStore, name: str) -> list[Item]:
    rows: list[Item] = []
    run(
        pipeline,
        store.path(name),
        emit=lambda items, begin, end: rows.extend(items),
        progress=lambda progress: None,
    )
    return rows


def error_rate(reference: list[tuple[float, float, str]], turns: list[tuple[float, float, str]]) -> float:
    """DER of two speakers by hundredths of a second, collar 0.25 s, overlaps scored."""
    time = np.arange(0, 31, 0.01)
    scored = np.ones_like(time, bool)
    for begin, end, _ in reference:
        scored &= (abs(time - begin) > 0.25) & (abs(time - end) > 0.25)

    def activity(of: list[tuple[float, float, str]]) -> list[np.ndarray]:
        names = sorted({name for *_, name in of})
        return [
            np.any([(time >= b) & (time < e) for b, e, name in of if name == wanted], axis=0)[scored]
            for wanted in names
        ]

    wanted, found = activity(reference), activity(turns)
    found += [np.zeros_like(wanted[0])] * (2 - len(found))
    most = np.maximum(np.sum(wanted, axis=0), np.sum(found, axis=0)).sum()
    straight = (wanted[0] & found[0]).sum() + (wanted[1] & found[1]).sum()
    crossed = (wanted[0] & found[1]).sum() + (wanted[1] & found[0]).sum()
    return float((most - max(straight, crossed)) / np.sum(wanted))


@pytest.mark.models
@pytest.mark.parametrize("config", [{"min_speakers": 2, "max_speakers": 2}, {}])
def test_a_conversation_on_the_telephone(fetched, config: dict[str, int]) -> None:
    store = fetched("silero-vad", "resemblyzer", "two-speakers", "two-speakers-turns")
    rows = heard(SpeakerDiarization.configured(config, store), store, "two-speakers")
    turns = [(item.row["start"], item.row["end"], item.row["speaker"]) for item in rows]
    for before, after in pairwise(turns):
        assert before[0] <= before[1] <= after[1]
    fields = [line.split() for line in store.path("two-speakers-turns").read_text().splitlines() if line]
    reference = [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]
    assert error_rate(reference, turns) < 0.15


@pytest.mark.models
def test_sentences_have_their_speaker(fetched) -> None:
    tiny = [f"whisper-tiny-en{part}" for part in ("", "-config", "-tokenizer", "-vocabulary")]
    store = fetched("silero-vad", "resemblyzer", *tiny, "two-speakers")
    config = {"whisper_model": "tiny.en", "min_speakers": 2, "max_speakers": 2}
    pipeline = AudioProcessing.configured(config, store)
    rows = heard(pipeline, store, "two-speakers")
    said = [item.row for item in rows if item.list == "segments"]
    assert {row["speaker"] for row in said} <= {"SPEAKER_00", "SPEAKER_01", None}
    assert "New Jersey" in " ".join(row["text"] for row in said)
    suffixes = [spec.suffix for spec in pipeline.artefacts()]
    assert "_speech_recognition.vtt" in suffixes
    assert "_speaker_diarization.rttm" in suffixes
    assert set(pipeline.models_used()) == {"silero-vad", "whisper-tiny-en", "resemblyzer"}


def test_more_at_least_than_at_most(tmp_path) -> None:
    store = ModelStore(tmp_path, fetch=False)
    with pytest.raises(TaskError, match="min_speakers is above"):
        SpeakerDiarization.configured({"min_speakers": 3, "max_speakers": 2}, store)
