"""Measures of small pictures: brightness, contrast, sharpness, and how much moves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

DARK_LEVEL = 16
BRIGHT_LEVEL = 240
_BLACK_LEVEL = 32
_MOVED_LEVELS = 12.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one picture is like.

    Attributes:
        time: Seconds from the start of the media.
        brightness: Mean grey level, 0 to 255.
        contrast: Standard deviation of the grey levels.
        dark: Share of pixels at 16 or below, 0 to 1.
        bright: Share of pixels at 240 or above.
        black: Share of pixels below 32: what counts for a black picture.
        sharpness: Variance of the Laplacian, in squared grey levels. Depends on the picture's size.
        change: The largest change of any spot since the picture before, in grey levels; None for the first
            one. Spots are averages over a few pixels, against grain.
        motion: The mean change as a share of 255; None for the first one and across a cut.
        moving: Share of the spots that changed by more than 12 levels; None likewise.
    """

    time: float
    brightness: float
    contrast: float
    dark: float
    bright: float
    black: float
    sharpness: float
    change: float | None
    motion: float | None
    moving: float | None


class Gauge:
    """Measures pictures one after the other, all of one size."""

    def __init__(self) -> None:
        self._smooth: Pixels | None = None

    def measure(self, pixels: Pixels, time: float, *, after_cut: bool) -> Sample:
        """A picture, ``uint8 [height, width, 3]`` BGR.

        Args:
            pixels: The picture.
            time: Its time.
            after_cut: A cut lies between it and the one before, so that no motion can be told.
        """
        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        smooth = np.asarray(cv2.blur(grey, (5, 5)), np.uint8)
        histogram = np.bincount(grey.ravel(), minlength=256) / grey.size
        levels = np.arange(256)
        brightness = float(histogram @ levels)
        sharpness = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
        change = motion = moving = None
        if self._smooth is not None:
            changes = cv2.absdiff(smooth, self._smooth)
            change = float(changes.max())
            if not after_cut:
                motion = float(cv2.mean(changes)[0]) / 255
                moving = float(np.count_nonzero(changes > _MOVED_LEVELS)) / changes.size
        self._smooth = smooth
        return Sample(
            time=time,
            brightness=brightness,
            contrast=float(np.sqrt(histogram @ (levels - brightness) ** 2)),
            dark=float(histogram[: DARK_LEVEL + 1].sum()),
            bright=float(histogram[BRIGHT_LEVEL:].sum()),
            black=float(histogram[:_BLACK_LEVEL].sum()),
            sharpness=float(cv2.meanStdDev(sharpness)[1][0, 0]) ** 2,
            change=change,
            motion=motion,
            moving=moving,
        )
