"""What many samples amount to, in little memory: means and extremes of a second, a shot, a video."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from frameloom.common.pipelines import Row

if TYPE_CHECKING:
    from frameloom.worker.pipelines.qualities.measures import Sample


class Sum:
    """Mean, least and most of numbers that come one by one."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0.0
        self.least: float | None = None
        self.most: float | None = None

    def add(self, value: float | None) -> None:
        """The next number; None is none."""
        if value is None:
            return
        self.count += 1
        self._total += value
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)

    @property
    def mean(self) -> float | None:
        """None of nothing."""
        return self._total / self.count if self.count else None


class Stretch:
    """The samples of a stretch of the video, and how many were in which state."""

    def __init__(self) -> None:
        self.samples = 0
        self._states: dict[str, int] = {}
        self._brightness, self._contrast, self._sharpness = Sum(), Sum(), Sum()
        self._dark, self._bright = Sum(), Sum()
        self._motion, self._moving = Sum(), Sum()

    def add(self, sample: Sample, states: Iterable[str]) -> None:
        """The next sample, and what it counts for."""
        self.samples += 1
        for state in states:
            self._states[state] = self._states.get(state, 0) + 1
        self._brightness.add(sample.brightness)
        self._contrast.add(sample.contrast)
        self._sharpness.add(sample.sharpness)
        self._dark.add(sample.dark)
        self._bright.add(sample.bright)
        self._motion.add(sample.motion)
        self._moving.add(sample.moving)

    def share(self, state: str) -> float:
        """Share of the samples in a state, 0 to 1."""
        return self._states.get(state, 0) / self.samples if self.samples else 0.0

    def row(self) -> Row:
        """The measures as they stand in the files."""
        return {
            "samples": self.samples,
            "brightness": _rounded(self._brightness.mean, 2),
            "contrast": _rounded(self._contrast.mean, 2),
            "dark_share": _rounded(self._dark.mean, 4),
            "bright_share": _rounded(self._bright.mean, 4),
            "sharpness": _rounded(self._sharpness.mean, 2),
            "sharpness_least": _rounded(self._sharpness.least, 2),
            "motion": _rounded(self._motion.mean, 5),
            "motion_most": _rounded(self._motion.most, 5),
            "moving_share": _rounded(self._moving.mean, 4),
            "black_share": _rounded(self.share("black"), 4),
            "frozen_share": _rounded(self.share("frozen"), 4),
            "blurred_share": _rounded(self.share("blurred"), 4),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
