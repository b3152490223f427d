"""What a detector of cuts is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from frameloom.worker.frames.base import FrameBatch


@dataclass(frozen=True, slots=True)
class Cut:
    """The first frame of a new scene.

    Attributes:
        frame: Number of the frame.
        timestamp: Its time, seconds from the start of the media.
        score: Confidence in the cut, 0 to 1.
    """

    frame: int
    timestamp: float
    score: float


class CutDetector(Protocol):
    """Takes every frame of a video in order, and names the cuts, in order, as soon as they are certain."""

    def feed(self, batch: FrameBatch) -> Iterable[Cut]:
        """The next frames."""

    def flush(self) -> Iterable[Cut]:
        """The video has ended."""
