"""Cuts a stream of sound into pieces of speech that are short enough to be worked on at once.

Only the speech of the piece that is growing is held, so memory does not depend on the length of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from frameloom.worker.pipelines.speech.activity import RATE_HZ, Rules, Samples, Span, SpanFinder


class Scorer(Protocol):
    """What tells speech from the rest."""

    def feed(self, samples: Samples) -> Iterable[tuple[float, int, int]]:
        """(score, first sample, one past the last) of every chunk that is full."""

    def flush(self) -> Iterable[tuple[float, int, int]]:
        """The same of what is left."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """A piece of sound with speech in it.

    Attributes:
        samples: ``float32 [N]``, 16 kHz mono, pauses inside included.
        begin: Its first sample in the stream.
        spans: The stretches of speech in it, in samples of the stream.
    """

    samples: Samples
    begin: int
    spans: tuple[Span, ...]

    @property
    def start_seconds(self) -> float:
        """Time of the first sample."""
        return self.begin / RATE_HZ


class UtteranceCutter:
    """Groups spans of speech into utterances.

    Args:
        scorer: Tells speech from the rest.
        rules: When speech begins and ends.
        most_seconds: No utterance is longer; a span that is, is cut.
        join_below_seconds: Spans with a shorter pause between them belong together.
    """

    def __init__(
        self,
        scorer: Scorer,
        rules: Rules | None = None,
        *,
        most_seconds: float = 28.0,
        join_below_seconds: float = 2.0,
    ) -> None:
        self._scorer = scorer
        self._finder = SpanFinder(rules or Rules())
        self._most = round(most_seconds * RATE_HZ)
        self._join = round(join_below_seconds * RATE_HZ)
        self._held: Samples = np.zeros(0, np.float32)
        self._held_from = 0
        self._spans: list[Span] = []

    def feed(self, samples: Samples) -> Iterator[Utterance]:
        """Takes the next sound; gives the utterances that are complete."""
        self._held = np.concatenate((self._held, samples))
        for score, begin, end in self._scorer.feed(samples):
            yield from self._scored(score, begin, end)
        self._forget()

    def flush(self) -> Iterator[Utterance]:
        """Gives what is left at the end of the stream."""
        for score, begin, end in self._scorer.flush():
            yield from self._scored(score, begin, end)
        if (span := self._finder.flush(self._held_from + len(self._held))) is not None:
            yield from self._add(span)
        yield from self._take()

    def _scored(self, score: float, begin: int, end: int) -> Iterator[Utterance]:
        if (span := self._finder.feed(score, begin, end)) is not None:
            yield from self._add(span)
        since = self._finder.speaking_since
        if since is not None and end - since >= self._most and (cut := self._finder.cut(end)) is not None:
            yield from self._add(cut)
        if self._spans and since is None and end - self._spans[-1].end >= self._join:
            yield from self._take()

    def _add(self, span: Span) -> Iterator[Utterance]:
        if self._spans and (
            span.end - self._spans[0].begin > self._most or span.begin - self._spans[-1].end >= self._join
        ):
            yield from self._take()
        self._spans.append(span)

    def _take(self) -> Iterator[Utterance]:
        if not self._spans:
            return
        spans, self._spans = tuple(self._spans), []
        begin, end = spans[0].begin, spans[-1].end
        samples = self._held[begin - self._held_from : end - self._held_from].copy()
        yield Utterance(samples, begin, spans)

    def _forget(self) -> None:
        """Drops what no utterance can need any more; a second is kept for the padding of the next span."""
        needed = self._held_from + len(self._held) - RATE_HZ
        for start in (self._spans[0].begin if self._spans else None, self._finder.speaking_since):
            if start is not None:
                needed = min(needed, start)
        drop = max(0, needed - self._held_from)
        if drop:
            self._held, self._held_from = self._held[drop:].copy(), self._held_from + drop
