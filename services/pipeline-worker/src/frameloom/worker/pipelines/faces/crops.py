"""Squares cut out of frames, for networks that look at one face."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]


def square(box: Box, room: float) -> tuple[float, float, float]:
    """Left, top and side of the square around a box, ``room`` times as large."""
    left, top, width, height = box
    side = max(width, height, 1.0) * room
    return left + (width - side) / 2, top + (height - side) / 2, side


def cut(pixels: Pixels, left: float, top: float, side: float, size: int) -> Pixels:
    """A square of a frame as ``uint8 [size, size, 3]``; what lies outside the frame is black."""
    shrink = size / side
    if shrink < 1:  # first whole pixels, averaged: points between pixels alone would flicker
        height, width = pixels.shape[:2]
        x0, y0 = max(0, int(left)), max(0, int(top))
        x1, y1 = min(width, int(left + side) + 2), min(height, int(top + side) + 2)
        if x1 > x0 and y1 > y0:
            wide, high = max(1, round((x1 - x0) * shrink)), max(1, round((y1 - y0) * shrink))
            scale = wide / (x1 - x0)
            small = cv2.resize(pixels[y0:y1, x0:x1], (wide, high), interpolation=cv2.INTER_AREA)
            part = np.asarray(small, np.uint8)
            return _placed(part, (left - x0) * scale, (top - y0) * high / (y1 - y0), side * scale, size)
    return _placed(pixels, left, top, side, size)


def planes(
    crops: Pixels, mean: npt.NDArray[np.float32], spread: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """BGR crops ``[N, side, side, 3]`` as RGB ``float32 [N, 3, side, side]``: 0 to 1, then normalised."""
    rgb = crops[..., ::-1].astype(np.float32) / 255.0
    made: npt.NDArray[np.float32] = ((rgb - mean) / spread).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(made, np.float32)


def _placed(pixels: Pixels, left: float, top: float, side: float, size: int) -> Pixels:
    scale = size / side
    moved = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float64)
    made = cv2.warpAffine(pixels, moved, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(made, np.uint8)
