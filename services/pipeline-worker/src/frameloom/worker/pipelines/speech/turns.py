"""Who speaks when: windows of speech are given voices, the voices are grouped, the windows become turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frameloom.worker.pipelines.speech.activity import RATE_HZ
from frameloom.worker.pipelines.speech.clusters import Labels, Vectors, cluster
from frameloom.worker.pipelines.speech.utterances import Utterance
from frameloom.worker.pipelines.speech.voices import WINDOW_SECONDS, VoiceEncoder

STEP_SECONDS = 0.25
"""One voice in so many seconds: how fine turns can be told apart."""
_LEAST_TURN_SECONDS = 0.3
_SMOOTH = 2
_SECONDS_PER_SPEAKER = 8.0
"""Speech that must be there for each speaker on average, unless the fewest are given: neighbouring windows
share most of their sound, so a few seconds look like a voice of their own."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of speech of one speaker; times in seconds of the media, speakers from 0."""

    begin: float
    end: float
    speaker: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A quarter of a second of speech."""

    begin: float
    end: float


class TurnFinder:
    """Collects voices over a whole file; 1 kB for each quarter of a second of speech."""

    def __init__(self, encoder: VoiceEncoder) -> None:
        self._encoder = encoder
        self._pieces: list[_Piece] = []
        self._vectors: list[Vectors] = []

    def add(self, utterance: Utterance) -> None:
        """Takes the voices of an utterance."""
        windows = []
        half = int(WINDOW_SECONDS * RATE_HZ / 2)
        samples, step = utterance.samples, int(STEP_SECONDS * RATE_HZ)
        for span in utterance.spans:
            begin, end = span.begin - utterance.begin, span.end - utterance.begin
            for at in range(begin, end, step):
                until = min(at + step, end)
                middle = (at + until) // 2
                # The window stays inside the span: a pause, or the other's voice behind it, blurs the vector.
                first = max(begin, min(middle - half, end - 2 * half))
                windows.append(samples[first : min(end, first + 2 * half)])
                offset = utterance.start_seconds
                self._pieces.append(_Piece(at / RATE_HZ + offset, until / RATE_HZ + offset))
        if windows:
            self._vectors.append(self._encoder.encode(windows))

    def turns(self, least: int, most: int) -> list[Turn]:
        """The turns of everything that was added, in order of time."""
        if not self._pieces:
            return []
        seconds = sum(piece.end - piece.begin for piece in self._pieces)
        most = min(most, max(least, int(seconds / _SECONDS_PER_SPEAKER)))
        labels = _smoothed(self._pieces, cluster(np.concatenate(self._vectors), least, max(most, 1)))
        return _renumbered(_merged(self._pieces, labels))


def speaker_of(turns: Sequence[Turn], begin: float, end: float) -> int | None:
    """Who speaks most between two times; None if nobody does."""
    shares: dict[int, float] = {}
    for turn in turns:
        shared = min(end, turn.end) - max(begin, turn.begin)
        if shared > 0:
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + shared
    return max(shares, key=lambda speaker: shares[speaker]) if shares else None


def name(speaker: int) -> str:
    """What a speaker is called in files."""
    return f"SPEAKER_{speaker:02d}"


def _smoothed(pieces: Sequence[_Piece], labels: Labels) -> Labels:
    """A single piece of another voice between pieces of one is a slip of the grouping."""
    smooth = labels.copy()
    for place in range(len(labels)):
        near = range(max(0, place - _SMOOTH), min(len(labels), place + _SMOOTH + 1))
        votes = [
            int(labels[other])
            for other in near
            if abs(pieces[other].begin - pieces[place].begin) < (_SMOOTH + 1) * STEP_SECONDS
        ]
        counts = np.bincount(votes)
        if counts.max() > len(votes) / 2:
            smooth[place] = counts.argmax()
    return smooth


def _merged(pieces: Sequence[_Piece], labels: Labels) -> list[Turn]:
    turns: list[Turn] = []
    for piece, label in zip(pieces, labels, strict=True):
        last = turns[-1] if turns else None
        if last is not None and last.speaker == label and piece.begin - last.end < STEP_SECONDS:
            turns[-1] = Turn(last.begin, piece.end, last.speaker)
        else:
            turns.append(Turn(piece.begin, piece.end, int(label)))
    long = [turn for turn in turns if turn.end - turn.begin >= _LEAST_TURN_SECONDS]
    return long or turns


def _renumbered(turns: Sequence[Turn]) -> list[Turn]:
    """Speakers from 0 in order of appearance, none left out."""
    names: dict[int, int] = {}
    return [Turn(turn.begin, turn.end, names.setdefault(turn.speaker, len(names))) for turn in turns]
