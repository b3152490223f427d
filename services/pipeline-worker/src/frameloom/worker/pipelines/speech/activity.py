"""Where speech is: Silero VAD over a stream, with a state machine that turns scores into spans.

The network scores 32 ms at a time and remembers what it heard, so a stream of any length is scored with one
small state. Spans begin above one threshold and end below a lower one, as its authors do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from frameloom.worker import runtime

if TYPE_CHECKING:
    from frameloom.worker.models.store import ModelStore

MODEL = "silero-vad"
RATE_HZ = 16_000
_CHUNK = 512
_CONTEXT = 64
_STATE_SHAPE = (2, 1, 128)

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech, in samples from the start of the stream."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Rules:
    """When speech begins and ends.

    Attributes:
        begin_above: Score from which on speech begins.
        end_below: Score below which it may end.
        least_speech_seconds: What is shorter is no speech.
        least_silence_seconds: A pause that ends a span.
        pad_seconds: Taken in on both sides.
    """

    begin_above: float = 0.5
    end_below: float = 0.35
    least_speech_seconds: float = 0.25
    least_silence_seconds: float = 0.3
    pad_seconds: float = 0.1


class SpanFinder:
    """Turns scores into spans. Pure."""

    def __init__(self, rules: Rules, rate_hz: int = RATE_HZ) -> None:
        self._rules = rules
        self._least = round(rules.least_speech_seconds * rate_hz)
        self._pause = round(rules.least_silence_seconds * rate_hz)
        self._pad = round(rules.pad_seconds * rate_hz)
        self._begin: int | None = None
        self._quiet_since: int | None = None
        self._last_end = 0

    @property
    def speaking_since(self) -> int | None:
        """Where the span that is still open begins."""
        return None if self._begin is None else self._padded(self._begin)

    def feed(self, score: float, begin: int, end: int) -> Span | None:
        """Takes the score of a chunk; answers the span that ended with it."""
        if self._begin is None:
            if score >= self._rules.begin_above:
                self._begin, self._quiet_since = begin, None
            return None
        if score >= self._rules.end_below:
            self._quiet_since = None
            return None
        if self._quiet_since is None:
            self._quiet_since = begin
        if end - self._quiet_since < self._pause:
            return None
        return self._close(self._quiet_since)

    def flush(self, end: int) -> Span | None:
        """The span that is open at the end of the stream."""
        if self._begin is None:
            return None
        return self._close(self._quiet_since if self._quiet_since is not None else end, limit=end)

    def cut(self, at: int) -> Span | None:
        """Ends an open span here and begins the next one at once: for what must not grow longer."""
        if self._begin is None:
            return None
        span = Span(self._padded(self._begin), at)
        self._begin, self._quiet_since, self._last_end = at, None, at
        return span

    def _close(self, end: int, limit: int | None = None) -> Span | None:
        begin, self._begin, self._quiet_since = self._begin, None, None
        assert begin is not None
        if end - begin < self._least:
            return None
        padded = end + self._pad if limit is None else min(end + self._pad, limit)
        span = Span(self._padded(begin), padded)
        self._last_end = span.end
        return span

    def _padded(self, begin: int) -> int:
        return max(self._last_end, begin - self._pad, 0)


class SpeechScorer:
    """The network with its memory of what it heard.

    Args:
        session: Of the model; see :func:`session`.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._state = np.zeros(_STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._at = 0

    def feed(self, samples: Samples) -> Iterator[tuple[float, int, int]]:
        """Scores of the chunks that are full: (score from 0 to 1, first sample, one past the last)."""
        pending = np.concatenate((self._rest, samples))
        whole = len(pending) // _CHUNK * _CHUNK
        for begin in range(0, whole, _CHUNK):
            yield self._score(pending[begin : begin + _CHUNK], _CHUNK)
        self._rest = pending[whole:].copy()

    def flush(self) -> Iterator[tuple[float, int, int]]:
        """The score of what is left, filled up with silence."""
        if len(self._rest):
            length = len(self._rest)
            yield self._score(np.pad(self._rest, (0, _CHUNK - length)), length)
            self._rest = self._rest[:0]

    def _score(self, chunk: Samples, length: int) -> tuple[float, int, int]:
        heard = np.concatenate((self._context, chunk))[None]
        rate = np.array(RATE_HZ, np.int64)
        score, self._state = self._session.run(
            None, {"input": heard.astype(np.float32), "state": self._state, "sr": rate}
        )
        self._context = chunk[-_CONTEXT:].astype(np.float32)
        begin = self._at
        self._at += length
        return float(score[0, 0]), begin, self._at


def scorer(models: ModelStore) -> SpeechScorer:
    """A scorer for a new stream; the network is loaded once per process."""
    return SpeechScorer(models.load(MODEL, session))


def session(path: Path) -> Any:
    """An ONNX session on one thread: the network is tiny, and threads would only wait for each other."""
    return runtime.onnx_session(path, most_threads=1)
