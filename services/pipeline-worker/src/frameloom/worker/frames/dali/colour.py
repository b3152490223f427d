"""Colours: DALI turns every video to RGB by BT.601, whatever the video says. This puts it right.

A video's samples are turned to RGB by a matrix that follows from two numbers. RGB that was made with those of
BT.601 becomes RGB of another standard by one more matrix, which costs little after the resize. What the first
step cut off, at the edges of the colour space, stays cut off.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Coefficients = tuple[float, float]
"""Weight of red and of blue in the brightness."""

BT601: Coefficients = (0.299, 0.114)
_BT709: Coefficients = (0.2126, 0.0722)
_FCC: Coefficients = (0.30, 0.11)
_SMPTE240M: Coefficients = (0.212, 0.087)
_BT2020: Coefficients = (0.2627, 0.0593)

# FFmpeg's numbers of colour spaces; 2 is "not told", for which FFmpeg's scaler takes BT.601 as well.
_BY_NUMBER = {1: _BT709, 2: BT601, 4: _FCC, 5: BT601, 6: BT601, 7: _SMPTE240M, 9: _BT2020}


def coefficients(colour_space: int) -> Coefficients | None:
    """Of a video, by FFmpeg's number of its colour space; None for those that are no such matrix."""
    return _BY_NUMBER.get(colour_space)


def correction(video: Coefficients, *, bgr: bool) -> list[float] | None:
    """The nine numbers, row by row, by which DALI's RGB becomes the video's RGB, or BGR.

    Args:
        video: Coefficients of the video.
        bgr: Blue is to come first.

    Returns:
        None where RGB is wanted and is right already.
    """
    if video == BT601 and not bgr:
        return None
    matrix = _to_rgb(video) @ np.linalg.inv(_to_rgb(BT601))
    rows = matrix[::-1] if bgr else matrix
    return [float(number) for number in rows.round(9).ravel()]


def _to_rgb(of: Coefficients) -> npt.NDArray[np.float64]:
    """From brightness and the two colour differences."""
    red, blue = of
    green = 1.0 - red - blue
    return np.array(
        [
            [1.0, 0.0, 2.0 * (1.0 - red)],
            [1.0, -2.0 * blue * (1.0 - blue) / green, -2.0 * red * (1.0 - red) / green],
            [1.0, 2.0 * (1.0 - blue), 0.0],
        ]
    )
