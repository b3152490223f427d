"""Whose words they are: what Whisper wrote in one go is cut where another begins to speak. Pure.

Whisper often writes a question and its answer as one segment. It is cut after full stops and question marks
only: both words and turns are some tenths of a second wrong, and cuts between any words gave first words to
the one who had spoken before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from frameloom.common.pipelines import Row
from frameloom.worker.pipelines.speech.turns import Turn, name, speaker_of

_LEAST_SECONDS = 0.3
"""What is shorter is nobody's own part."""
_ENDS = (".", "?", "!", "…", "。", "？", "！", "।", "؟")


def attributed(rows: Iterable[Row], turns: Sequence[Turn]) -> Iterator[Row]:
    """The rows with ``speaker``, numbered anew.

    Args:
        rows: Segments of a transcript, in order of time.
        turns: Who speaks when.
    """
    number = 0
    for row in rows:
        for part in _parts(row, turns):
            number += 1
            yield {**part, "id": number}


def _parts(row: Row, turns: Sequence[Turn]) -> Iterator[Row]:
    words: list[Row] = row.get("words", [])
    whole = speaker_of(turns, row["start"], row["end"])
    runs = _runs([(speaker_of(turns, c[0]["start"], c[-1]["end"]), c) for c in _clauses(words)])
    if len(runs) < 2:
        yield {**row, "speaker": _named(runs[0][0] if runs and runs[0][0] is not None else whole)}
        return
    texts = _texts(row["text"], [part for _, part in runs])
    for place, ((speaker, part), text) in enumerate(zip(runs, texts, strict=True)):
        yield {
            **row,
            "start": row["start"] if place == 0 else part[0]["start"],
            "end": row["end"] if place == len(runs) - 1 else part[-1]["end"],
            "text": text,
            "confidence": round(sum(word["probability"] for word in part) / len(part), 4),
            "words": part,
            "speaker": _named(speaker),
        }


def _clauses(words: Sequence[Row]) -> Iterator[list[Row]]:
    """Words up to a mark that ends a sentence."""
    clause: list[Row] = []
    for word in words:
        clause.append(word)
        if word["word"].rstrip("\"'”’»)").endswith(_ENDS):
            yield clause
            clause = []
    if clause:
        yield clause


def _runs(clauses: Sequence[tuple[int | None, list[Row]]]) -> list[tuple[int | None, list[Row]]]:
    """Clauses of one speaker joined; those of nobody, and very short ones, go to a neighbour."""
    runs: list[tuple[int | None, list[Row]]] = []
    for speaker, part in clauses:
        own = speaker is not None and part[-1]["end"] - part[0]["start"] >= _LEAST_SECONDS
        if runs and (not own or runs[-1][0] in {None, speaker}):
            before, earlier = runs.pop()
            runs.append((speaker if before is None else before, earlier + part))
        else:
            runs.append((speaker if own else None, part))
    return runs


def _texts(text: str, parts: Sequence[Sequence[Row]]) -> list[str]:
    """The text in as many pieces; as it was written, since not every language has blanks between words."""
    cuts, place = [0], 0
    for part in parts:
        if part is not parts[0]:
            cuts.append(place)
        for word in part:
            found = text.find(word["word"], place)
            if found < 0:
                return [" ".join(word["word"] for word in part) for part in parts]
            place = found + len(word["word"])
    return [text[begin:end].strip() for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _named(speaker: int | None) -> str | None:
    return None if speaker is None else name(speaker)
