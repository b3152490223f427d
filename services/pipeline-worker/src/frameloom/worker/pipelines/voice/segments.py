"""Which stretches of the sound are scored: at fixed times, or where somebody speaks. Holds one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from frameloom.worker.pipelines.speech.activity import RATE_HZ, Rules, Span, SpanFinder, SpeechScorer

Samples = npt.NDArray[np.float32]

_LEAST_STEP_SECONDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A stretch of sound, with its begin and end in seconds."""

    samples: Samples
    begin: float
    end: float


class FixedSegments:
    """Stretches of one length, which may overlap; the last may be shorter."""

    def __init__(self, longest: float, shortest: float, overlap: float) -> None:
        """All in seconds."""
        self._length = round(longest * RATE_HZ)
        self._least = round(shortest * RATE_HZ)
        self._step = round(max(longest - overlap, min(_LEAST_STEP_SECONDS, longest)) * RATE_HZ)
        self._held = np.zeros(0, np.float32)
        self._at = 0
        self._told_until = 0

    def feed(self, samples: Samples) -> Iterator[Segment]:
        """Takes the next sound; gives the stretches that are complete."""
        self._held = np.concatenate((self._held, samples))
        while len(self._held) >= self._length:
            yield self._segment(self._held[: self._length])
            self._held = self._held[self._step :].copy()
            self._at += self._step

    def flush(self) -> Iterator[Segment]:
        """What is left at the end, if it is long enough and was not in the stretch before."""
        if len(self._held) >= self._least and self._at + len(self._held) > self._told_until:
            yield self._segment(self._held)
        self._held = self._held[:0]

    def _segment(self, samples: Samples) -> Segment:
        self._told_until = self._at + len(samples)
        return Segment(samples.copy(), self._at / RATE_HZ, self._told_until / RATE_HZ)


class SpokenSegments:
    """Stretches in which somebody speaks, between pauses; none is longer than asked."""

    def __init__(self, scorer: SpeechScorer, longest: float, shortest: float) -> None:
        """``longest`` and ``shortest`` in seconds."""
        self._scorer = scorer
        self._finder = SpanFinder(Rules(least_speech_seconds=min(shortest, 0.25)))
        self._longest = round(longest * RATE_HZ)
        self._least = round(shortest * RATE_HZ)
        self._held = np.zeros(0, np.float32)
        self._held_from = 0

    def feed(self, samples: Samples) -> Iterator[Segment]:
        """Takes the next sound; gives the stretches that are complete."""
        self._held = np.concatenate((self._held, samples))
        for scored in self._scorer.feed(samples):
            yield from self._took(*scored)
        self._forget()

    def flush(self) -> Iterator[Segment]:
        """The stretch that is open at the end."""
        end = self._held_from + len(self._held)
        for scored in self._scorer.flush():
            yield from self._took(*scored)
        if (span := self._finder.flush(end)) is not None:
            yield from self._cut(span)

    def _took(self, score: float, begin: int, end: int) -> Iterator[Segment]:
        if (span := self._finder.feed(score, begin, end)) is not None:
            yield from self._cut(span)
        since = self._finder.speaking_since
        if since is not None and end - since >= self._longest and (span := self._finder.cut(end)) is not None:
            yield from self._cut(span)

    def _cut(self, span: Span) -> Iterator[Segment]:
        begin = max(span.begin, self._held_from)
        end = min(span.end, self._held_from + len(self._held))
        while begin < end:
            stop = min(end, begin + self._longest)
            if stop - begin >= self._least:
                part = self._held[begin - self._held_from : stop - self._held_from]
                yield Segment(part.copy(), begin / RATE_HZ, stop / RATE_HZ)
            begin = stop

    def _forget(self) -> None:
        """Drops what no stretch can need any more: all but a second before what is open."""
        since: Any = self._finder.speaking_since
        end = self._held_from + len(self._held)
        keep = max(self._held_from, min(end, since if since is not None else end) - RATE_HZ)
        self._held = self._held[keep - self._held_from :].copy()
        self._held_from = keep
