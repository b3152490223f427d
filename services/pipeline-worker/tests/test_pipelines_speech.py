"""Speech: spans from scores, utterances from spans, captions from sentences, and a real voice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameloom.common.pipelines import Item
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.runner import run
from frameloom.worker.pipelines.speech import transcripts
from frameloom.worker.pipelines.speech.activity import RATE_HZ, Rules, Samples, Span, SpanFinder
from frameloom.worker.pipelines.speech.utterances import Utterance, UtteranceCutter
from frameloom.worker.pipelines.speech_recognition import SpeechRecognition

CHUNK = 512
RULES = Rules(least_speech_seconds=0.1, least_silence_seconds=0.2, pad_seconds=0.05)


class Loud:
    """Scores by loudness: a scorer whose answers a test knows."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._at = 0

    def feed(self, samples: Samples) -> Iterator[tuple[float, int, int]]:
        pending = np.concatenate((self._rest, samples))
        while len(pending) >= CHUNK:
            yield self._score(pending[:CHUNK])
            pending = pending[CHUNK:]
        self._rest = pending

    def flush(self) -> Iterable[tuple[float, int, int]]:
        return [self._score(self._rest)] if len(self._rest) else []

    def _score(self, chunk: Samples) -> tuple[float, int, int]:
        begin, self._at = self._at, self._at + len(chunk)
        return float(np.abs(chunk).mean() > 0.1), begin, self._at


def sound(*pieces: tuple[float, bool]) -> Samples:
    """Pieces of (seconds, loud)."""
    rng = np.random.default_rng(1)
    parts = [
        (rng.choice([-0.5, 0.5], round(seconds * RATE_HZ)) if loud else np.zeros(round(seconds * RATE_HZ)))
        for seconds, loud in pieces
    ]
    return np.concatenate(parts).astype(np.float32)


def cut(samples: Samples, step: int, **options: float) -> list[Utterance]:
    cutter = UtteranceCutter(Loud(), RULES, **options)
    found = [
        one for begin in range(0, len(samples), step) for one in cutter.feed(samples[begin : begin + step])
    ]
    return [*found, *cutter.flush()]


def spans(scores: list[float]) -> list[Span]:
    finder = SpanFinder(RULES)
    found = [finder.feed(score, n * CHUNK, (n + 1) * CHUNK) for n, score in enumerate(scores)]
    return [span for span in [*found, finder.flush(len(scores) * CHUNK)] if span is not None]


@given(st.lists(st.sampled_from([0.0, 0.4, 0.9]), max_size=200))
def test_spans_are_in_order_and_inside(scores: list[float]) -> None:
    found = spans(scores)
    for span in found:
        assert 0 <= span.begin < span.end <= len(scores) * CHUNK + round(RULES.pad_seconds * RATE_HZ)
    for before, after in pairwise(found):
        assert before.end <= after.begin


def test_a_short_noise_is_no_speech() -> None:
    assert spans([0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) == []


def test_a_hesitation_does_not_end_a_span() -> None:
    assert len(spans([0.9] * 10 + [0.4] * 20 + [0.9] * 10)) == 1
    assert len(spans([0.9] * 10 + [0.1] * 3 + [0.9] * 10)) == 1
    assert len(spans([0.9] * 10 + [0.1] * 20 + [0.9] * 10)) == 2


@pytest.mark.parametrize("step", [CHUNK, 1000, 16_000, 10**6])
def test_utterances_are_the_speech(step: int) -> None:
    samples = sound((1, False), (2, True), (1, False), (1, True), (5, False), (3, True), (0.5, False))
    found = cut(samples, step)
    assert [len(one.spans) for one in found] == [2, 1], "a pause of a second does not part, one of five does"
    assert found[0].start_seconds == pytest.approx(1.0, abs=0.1)
    assert len(found[0].samples) / RATE_HZ == pytest.approx(4.0, abs=0.2)
    assert found[1].start_seconds == pytest.approx(10.0, abs=0.1)
    for one in found:
        assert np.array_equal(one.samples, samples[one.begin : one.begin + len(one.samples)])


def test_endless_speech_is_cut() -> None:
    found = cut(sound((35, True)), 16_000, most_seconds=10.0)
    assert [round(len(one.samples) / RATE_HZ) for one in found] == [10, 10, 10, 5]
    for before, after in pairwise(found):
        assert before.begin + len(before.samples) == after.begin, "nothing is lost between two"


def test_silence_is_not_kept() -> None:
    cutter = UtteranceCutter(Loud(), RULES)
    for _ in range(600):
        assert list(cutter.feed(np.zeros(RATE_HZ, np.float32))) == []
    assert len(cutter._held) <= 2 * RATE_HZ
    assert list(cutter.flush()) == []


def test_captions_stay_long_enough_to_be_read() -> None:
    rows = [{"start": 0.0, "end": 0.2}, {"start": 0.5, "end": 0.6}, {"start": 5.0, "end": 7.0}]
    longer = transcripts.stretched(rows, 1.0)
    assert [row["end"] for row in longer] == [0.5, 1.5, 7.0]


def heard(name: str, config: dict[str, object], store: ModelStore) -> tuple[list[Item], SpeechRecognition]:
    rows: list[Item] = []
    pipeline = SpeechRecognition.configured(config, store)
    run(
        pipeline,
        store.path(name),
        emit=lambda items, begin, end: rows.extend(items),
        progress=lambda progress: None,
    )
    return rows, pipeline


@pytest.mark.models
def test_a_famous_sentence(fetched) -> None:
    names = ("whisper-tiny-en", "whisper-tiny-en-config", "whisper-tiny-en-tokenizer")
    store = fetched("silero-vad", *names, "whisper-tiny-en-vocabulary", "jfk")
    rows, pipeline = heard("jfk", {"whisper_model": "tiny.en", "exports": ["srt", "chat"]}, store)
    text = " ".join(re.findall("[a-z]+", " ".join(row.row["text"] for row in rows).lower()))
    assert text == (
        "and so my fellow americans ask not what your country can do for you "
        "ask what you can do for your country"
    )
    words = [word for row in rows for word in row.row["words"]]
    assert len(words) == 22
    for before, after in pairwise(words):
        assert before["start"] <= before["end"] <= after["end"]
    assert words[-1]["end"] < 11.0
    assert {row.row["language"] for row in rows} == {"en"}
    files = [spec.suffix for spec in pipeline.artefacts()]
    assert files == [
        "_speech_recognition.vtt",
        "_transcript.json",
        "_transcript.srt",
        "_transcript.cha",
    ]
    assert set(pipeline.models_used()) == {"silero-vad", "whisper-tiny-en"}
