"""Cuts a stream of sound into pieces of speech that are short enough to be worked on at once.

Only the speech of the piece that is growing is held, so memory does not depend on the length of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from frameloom.worker.media.spans import Span as Segment
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


class Share:
    """Which stretches of speech are a segment's: those that begin in it. Pure.

    A stretch is followed over the border for the length of the overlap. One that goes on even longer is cut
    there, and the next segment takes the rest. Both neighbours hear the border and decide alike.

    Args:
        begin: Where the segment begins, in samples of what it hears; None: it is the first.
        end: Where it ends; None: it is the last.
        overlap: How many samples beyond its end it hears.
        doubt: Samples by which two that hear the same speech may differ about its beginning. Where they do,
            it is taken twice rather than never.
    """

    def __init__(self, begin: int | None, end: int | None, overlap: int, doubt: int = RATE_HZ // 10) -> None:
        self._begin = begin
        self._end = end
        self._overlap = overlap
        self._doubt = doubt
        self._stretch = 0
        self._cut_at: int | None = None

    def take(self, span: Span, *, goes_on: bool) -> Span | None:
        """The part of a span that is the segment's.

        Args:
            span: The next one.
            goes_on: It was cut because it is long: speech goes on behind it.
        """
        if span.begin != self._cut_at:
            self._stretch = span.begin
        self._cut_at = span.end if goes_on else None
        begin, end = span.begin, span.end
        if self._end is not None:
            if self._stretch >= self._end:
                return None
            end = min(end, self._end + self._overlap)
        if self._begin is not None and self._stretch < self._begin - self._doubt:
            begin = max(begin, self._begin + self._overlap)
        return Span(begin, end) if begin < end else None


class UtteranceCutter:
    """Groups spans of speech into utterances.

    Args:
        scorer: Tells speech from the rest.
        rules: When speech begins and ends.
        most_seconds: No utterance is longer; a span that is, is cut.
        join_below_seconds: Spans with a shorter pause between them belong together.
        share: Which spans are wanted; None: all.
    """

    def __init__(
        self,
        scorer: Scorer,
        rules: Rules | None = None,
        *,
        most_seconds: float = 28.0,
        join_below_seconds: float = 2.0,
        share: Share | None = None,
    ) -> None:
        self._scorer = scorer
        self._finder = SpanFinder(rules or Rules())
        self._most = round(most_seconds * RATE_HZ)
        self._join = round(join_below_seconds * RATE_HZ)
        self._share = share
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
            yield from self._add(cut, goes_on=True)
        if self._spans and since is None and end - self._spans[-1].end >= self._join:
            yield from self._take()

    def _add(self, found: Span, *, goes_on: bool = False) -> Iterator[Utterance]:
        span = self._share.take(found, goes_on=goes_on) if self._share else found
        if span is None:
            return
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


def share(span: Segment | None) -> Share | None:
    """The share of a segment; None of the whole."""
    if span is None:
        return None
    first = span.heard_from(RATE_HZ)
    begin = round(span.begin * RATE_HZ) - first if span.index else None
    end = None if span.end is None else round(span.end * RATE_HZ) - first
    return Share(begin, end, round(span.overlap * RATE_HZ))
