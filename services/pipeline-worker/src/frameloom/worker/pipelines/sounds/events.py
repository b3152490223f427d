"""Events from scores: a class begins above one threshold and goes on above a lower one. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from frameloom.worker.pipelines.sounds.yamnet import Scores

_TOLERANCE = 1e-6
"""Seconds; sums of times are not exact."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a sound is an event.

    Attributes:
        begin_above: Score from which on it begins.
        end_below: Score below which it ends; not above ``begin_above``.
        least_seconds: What is shorter, pauses included, is no event.
        join_seconds: A pause up to this long does not end it.
    """

    begin_above: float = 0.5
    end_below: float = 0.25
    least_seconds: float = 0.0
    join_seconds: float = 0.5


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """A stretch of time in which a class was heard; ordered by time.

    Attributes:
        begin: Seconds.
        end: Seconds.
        label: Place of the class among those that are looked at.
        peak: Highest score.
        mean: Mean score of the time in which it was heard, pauses left out.
    """

    begin: float
    end: float
    label: int
    peak: float
    mean: float


class _Open:
    """An event that may still go on."""

    def __init__(self, begin: float) -> None:
        self.begin = self.end = begin
        self.heard = True
        self.peak = self._total = self._seconds = 0.0

    def extend(self, begin: float, end: float, score: float) -> None:
        self.end, self.heard = end, True
        self.peak = max(self.peak, score)
        self._total += score * (end - begin)
        self._seconds += end - begin

    def closed(self, label: int) -> Event:
        return Event(self.begin, self.end, label, self.peak, self._total / self._seconds)


class EventFinder:
    """Takes the scores of one stretch of time after the other and gives events in order of their beginning.

    An event is held back while one that began before it goes on.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._open: dict[int, _Open] = {}
        self._done: list[Event] = []

    def feed(self, begin: float, end: float, scores: Scores) -> list[Event]:
        """Takes the scores of a stretch, in seconds, which follows the one before without a gap."""
        for label in {*self._open, *map(int, np.flatnonzero(scores >= self._rules.begin_above))}:
            self._take(label, begin, end, float(scores[label]))
        return list(self._ready())

    def flush(self) -> list[Event]:
        """What is left at the end."""
        for label in list(self._open):
            self._close(label)
        return list(self._ready())

    def _take(self, label: int, begin: float, end: float, score: float) -> None:
        event = self._open.get(label)
        if event is not None and event.heard and score >= self._rules.end_below:
            event.extend(begin, end, score)
        elif score >= self._rules.begin_above:
            if event is not None and self._too_far(event, begin):
                self._close(label)
            self._open.setdefault(label, _Open(begin)).extend(begin, end, score)
        elif event is not None:
            event.heard = False
            if self._too_far(event, end):
                self._close(label)

    def _too_far(self, event: _Open, time: float) -> bool:
        return time - event.end > self._rules.join_seconds + _TOLERANCE

    def _close(self, label: int) -> None:
        event = self._open.pop(label)
        if event.end - event.begin >= self._rules.least_seconds - _TOLERANCE:
            heapq.heappush(self._done, event.closed(label))

    def _ready(self) -> Iterator[Event]:
        earliest = min((event.begin for event in self._open.values()), default=float("inf"))
        while self._done and self._done[0].begin <= earliest:
            yield heapq.heappop(self._done)
