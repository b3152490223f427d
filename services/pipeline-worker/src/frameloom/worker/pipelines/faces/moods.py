"""Emotions over time: what the same person showed a moment ago counts too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

_LIMIT = 2000


class MoodSmoother:
    """Mean of a person's scores, in which the past fades with time.

    One frame with a hand before the face then changes little. Only the past is looked at, so no row
    has to wait.
    """

    def __init__(self, fade_seconds: float) -> None:
        """``fade_seconds``: after which a score counts e times less; 0: nothing of the past counts."""
        self._fade = fade_seconds
        self._known: dict[int, tuple[float, Scores]] = {}

    def add(self, person: int, scores: npt.NDArray[np.floating], timestamp: float) -> Scores:
        """The smoothed scores of a person; frames come in order."""
        now = np.asarray(scores, np.float64)
        if self._fade <= 0:
            return now
        before = self._known.pop(person, None)
        if before is not None:
            kept = math.exp(-max(0.0, timestamp - before[0]) / self._fade)
            now = kept * before[1] + (1.0 - kept) * now
        self._known[person] = timestamp, now  # the latest last
        if len(self._known) > _LIMIT:
            del self._known[next(iter(self._known))]
        return now
