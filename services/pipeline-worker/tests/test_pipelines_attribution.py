"""Sentences of two speakers are cut between them, and nothing of what was said is lost."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from frameloom.worker.pipelines.speech.attribution import attributed
from frameloom.worker.pipelines.speech.turns import Turn


def sentence(text: str, words: list[tuple[str, float, float]]) -> dict[str, Any]:
    return {
        "id": 7,
        "start": words[0][1],
        "end": words[-1][2],
        "text": text,
        "language": "en",
        "confidence": 0.5,
        "words": [
            {"word": word, "start": begin, "end": end, "probability": 0.2 * (number + 1)}
            for number, (word, begin, end) in enumerate(words)
        ],
    }


TALK = [("Hello.", 1.0, 1.6), ("Oh,", 2.0, 2.3), ("hello.", 2.3, 2.8)]


def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["id"], row["speaker"], row["start"], row["end"], row["text"]) for row in rows]


def test_a_question_and_its_answer() -> None:
    rows = list(attributed([sentence("Hello. Oh, hello.", TALK)], [Turn(0.9, 1.8, 0), Turn(1.8, 3.0, 1)]))
    assert told(rows) == [
        (1, "SPEAKER_00", 1.0, 1.6, "Hello."),
        (2, "SPEAKER_01", 2.0, 2.8, "Oh, hello."),
    ]
    assert [row["confidence"] for row in rows] == [0.2, 0.5]
    assert [len(row["words"]) for row in rows] == [1, 2]


def test_one_speaker_nobody_and_no_words() -> None:
    row = sentence("Hello. Oh, hello.", TALK)
    assert told(list(attributed([row, row], [Turn(0, 9, 1)])))[1][:2] == (2, "SPEAKER_01")
    assert next(attributed([row], []))["speaker"] is None
    plain = {key: value for key, value in row.items() if key != "words"}
    (only,) = attributed([plain], [Turn(0, 1.8, 0), Turn(1.8, 9, 1)])
    assert (only["speaker"], "words" in only) == ("SPEAKER_01", False)


def test_a_slip_of_a_word_does_not_cut() -> None:
    row = sentence("a. b. c.", [("a.", 0.0, 1.0), ("b.", 1.0, 1.2), ("c.", 1.2, 2.0)])
    (only,) = attributed([row], [Turn(0, 1, 0), Turn(1, 1.2, 1), Turn(1.2, 2, 0)])
    assert (only["speaker"], only["text"]) == ("SPEAKER_00", "a. b. c.")


def test_an_edge_within_a_sentence_does_not_cut_it() -> None:
    row = sentence("Oh, I am from there.", [("Oh,", 0.0, 0.4), ("I am", 0.4, 0.8), ("from there.", 0.8, 2.0)])
    (only,) = attributed([row], [Turn(0, 0.7, 0), Turn(0.7, 2, 1)])
    assert (only["speaker"], only["text"]) == ("SPEAKER_01", "Oh, I am from there.")


def test_a_language_without_blanks() -> None:
    row = sentence("一二。三四", [("一二。", 0.0, 1.0), ("三四", 1.0, 2.0)])
    rows = attributed([row], [Turn(0, 1, 0), Turn(1, 2, 1)])
    assert [part["text"] for part in rows] == ["一二。", "三四"]


LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=12)


@settings(deadline=None)
@given(words=LENGTHS, turns=LENGTHS)
def test_no_word_is_lost_or_told_twice(words: list[int], turns: list[int]) -> None:
    begin, spoken = 0, []
    for number, length in enumerate(words):
        spoken.append((f"w{number}.", begin / 10, (begin + length) / 10))
        begin += length
    at, parts = 0, []
    for number, length in enumerate(turns):
        parts.append(Turn(at / 10, (at + length) / 10, number % 3))
        at += length
    row = sentence(" ".join(word for word, *_ in spoken), spoken)
    rows = list(attributed([row], parts))
    assert " ".join(part["text"] for part in rows) == row["text"]
    assert [word for part in rows for word in part["words"]] == row["words"]
    assert (rows[0]["start"], rows[-1]["end"]) == (row["start"], row["end"])
    for before, after in zip(rows, rows[1:], strict=False):  # noqa: RUF007
        assert before["speaker"] != after["speaker"]
        assert before["end"] <= after["start"]
