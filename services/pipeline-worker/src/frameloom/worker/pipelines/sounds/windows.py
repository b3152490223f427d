"""Cuts a stream into windows of whole frames at fixed times, whatever the blocks that it comes in. Pure.

What is computed window by window then does not depend on the blocks either, to the last bit. A window also
has some frames before and after its own, for what looks at neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where frames and windows are.

    Attributes:
        hop: Samples from the middle of one frame to that of the next; the first is at the first sample.
        length: Samples of a frame; even. What lies outside the sound is silence.
        at_once: Frames of a window.
        around: Frames before and after it that a window has too, where there are any.
    """

    hop: int
    length: int
    at_once: int
    around: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Some frames, side by side.

    Attributes:
        first: Number of its first own frame in the stream.
        count: How many frames are its own.
        before: How many frames come before them in ``samples``.
        samples: From the beginning of the first frame to the end of the last.
    """

    first: int
    count: int
    before: int
    samples: Samples

    def frames(self, grid: Grid, length: int, *, around: bool = False) -> Samples:
        """The samples of frames of another, shorter length with the same middles: all, or its own only."""
        edge = (grid.length - length) // 2
        if around:
            return self.samples[edge : len(self.samples) - edge]
        begin = edge + self.before * grid.hop
        return self.samples[begin : begin + (self.count - 1) * grid.hop + length]


class Windows:
    """Cuts the stream; holds about one window of it."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._held: Samples = np.zeros(grid.length // 2, np.float32)
        self._held_at = 0
        self._next = 0
        self._heard = 0

    def feed(self, samples: Samples) -> Iterator[Window]:
        """Takes the next sound; gives the windows that are complete."""
        self._held = np.concatenate((self._held, samples))
        self._heard += len(samples)
        grid = self._grid
        whole = grid.at_once + grid.around
        while self._place(self._next + whole - 1) + grid.length <= len(self._held):
            yield self._window(grid.at_once, grid.around)

    def flush(self) -> Iterator[Window]:
        """The rest; the last window is shorter."""
        if not self._heard:
            return
        grid = self._grid
        self._held = np.concatenate((self._held, np.zeros(grid.length // 2, np.float32)))
        frames = 1 + self._heard // grid.hop
        while self._next < frames:
            count = min(grid.at_once, frames - self._next)
            yield self._window(count, min(grid.around, frames - self._next - count))

    def _place(self, frame: int) -> int:
        """Where a frame begins in what is held."""
        return frame * self._grid.hop - self._held_at

    def _window(self, count: int, after: int) -> Window:
        grid, first = self._grid, self._next
        before = min(grid.around, first)
        begin = self._place(first - before)
        end = self._place(first + count + after - 1) + grid.length
        window = Window(first, count, before, self._held[begin:end].copy())
        self._next += count
        # Frames may be further apart than they are long: then what lies between is yet to come.
        done = min(self._place(max(self._next - grid.around, 0)), len(self._held))
        self._held, self._held_at = self._held[done:].copy(), self._held_at + done
        return window
