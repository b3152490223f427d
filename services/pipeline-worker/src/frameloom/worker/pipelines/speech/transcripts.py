"""Transcripts: rows of what was said, and the files they become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from frameloom.common.pipelines import ArtefactSpec, Item, Row
from frameloom.worker.pipelines.speech.words import Sentence, Word

SEGMENTS = "segments"
Export = Literal["srt", "textgrid", "chat", "elan", "csv", "parquet"]
_COLUMNS = [
    ("start", "start", "number"),
    ("end", "end", "number"),
    ("speaker", "speaker", "text"),
    ("text", "text", "text"),
    ("language", "language", "text"),
    ("confidence", "confidence", "number"),
]
_FORMATS: dict[str, tuple[str, str, str]] = {
    # Never "speech_recognition" in a name that is no WebVTT: viewers go by it.
    "srt": ("_transcript.srt", "SubRip", "application/x-subrip"),
    "textgrid": ("_transcript.TextGrid", "TextGrid", "text/plain"),
    "chat": ("_transcript.cha", "CHAT", "text/x-chat"),
    "elan": ("_transcript.eaf", "ELAN", "application/xml"),
    "csv": ("_transcript.csv", "CSV", "text/csv"),
    "parquet": ("_transcript.parquet", "Parquet", "application/vnd.apache.parquet"),
}


def row(number: int, sentence: Sentence, offset: float, language: str | None) -> Row:
    """A segment of the transcript; times in seconds of the media."""
    said: Row = {
        "id": number,
        "start": _seconds(sentence.begin + offset),
        "end": _seconds(sentence.end + offset),
        "text": sentence.text,
        "language": language,
        "confidence": round(_confidence(sentence.words), 4) if sentence.words else None,
        "mean_log_probability": round(sentence.mean_log_probability, 4),
        "no_speech_probability": round(sentence.no_speech_probability, 4),
    }
    if sentence.words:
        said["words"] = [_word(word, offset) for word in sentence.words]
    return said


def stretched(rows: Sequence[Row], least_seconds: float) -> list[Row]:
    """Rows whose captions stay long enough to be read, but never into the next one."""
    longer = []
    for place, current in enumerate(rows):
        end = max(current["end"], _seconds(current["start"] + least_seconds))
        if place + 1 < len(rows):
            end = max(current["end"], min(end, rows[place + 1]["start"]))
        longer.append({**current, "end": end})
    return longer


def items(rows: Iterable[Row]) -> Iterable[Item]:
    """The rows as they are streamed."""
    return (Item(list=SEGMENTS, row=one) for one in rows)


def artefacts(
    info: Row, exports: Iterable[str], *, media_seconds: float, language: str | None
) -> tuple[ArtefactSpec, ...]:
    """WebVTT and JSON, and what else was asked for."""
    options = {"text": "text", "tier": "speaker", "unnamed": "speech", "media_seconds": media_seconds}
    files = [
        ArtefactSpec(
            suffix="_speech_recognition.vtt",
            format="WebVTT",
            media_type="text/vtt",
            counted=SEGMENTS,
            writer="webvtt",
            options=options,
        ),
        ArtefactSpec(
            suffix="_transcript.json",
            format="JSON",
            head={"info": {**info, "language": language}},
            lists=(SEGMENTS,),
            counted=SEGMENTS,
        ),
    ]
    for name in dict.fromkeys(exports):
        suffix, title, media_type = _FORMATS[name]
        files.append(
            ArtefactSpec(
                suffix=suffix,
                format=title,
                media_type=media_type,
                counted=SEGMENTS,
                writer=name,
                options={**options, "columns": _COLUMNS, "language": language},
            )
        )
    return tuple(files)


def _confidence(words: Sequence[Word]) -> float:
    return sum(word.probability for word in words) / len(words)


def _word(word: Word, offset: float) -> Row:
    return {
        "word": word.text,
        "start": _seconds(word.begin + offset),
        "end": _seconds(word.end + offset),
        "probability": round(word.probability, 4),
    }


def _seconds(value: float) -> float:
    return round(value, 3)
