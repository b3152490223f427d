"""Where text is: a network that paints lines of text, and the boxes around what it painted.

The network is PP-OCR's, of the kind of Liao et al., "Real-time scene text detection with differentiable
binarization" (2020): it paints each line thinner than it is, so that neighbours do not touch, and the boxes
are grown back by the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.texts.network import Pixels, planes, session

MODEL = "pp-ocr-detection"
_STRIDE = 32
_PAINTED = 0.3
_LEAST_SCORE = 0.5
_LEAST_SIDE = 3.0
_GROWTH = 1.6
_MOST_REGIONS = 1000

Quad = npt.NDArray[np.float32]
"""``float32 [4, 2]``: corners from the top left clockwise, as the text runs, in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A line of text that was found.

    Attributes:
        quad: Its corners, in pixels of the picture that was given.
        score: Mean of what the network painted there, 0 to 1.
    """

    quad: Quad
    score: float

    @property
    def height(self) -> float:
        """Length of its shorter side in pixels."""
        return min(_length(self.quad[0], self.quad[3]), _length(self.quad[0], self.quad[1]))


class TextFinder:
    """Finds lines of text.

    Args:
        models: Where the network is.
        longest_side: Pictures are brought down to this; never enlarged.
    """

    def __init__(self, models: ModelStore, longest_side: int) -> None:
        self._network = models.load(MODEL, session)
        self._longest_side = longest_side

    def find(self, pixels: Pixels) -> list[Region]:
        """Lines of a picture, ``uint8 [height, width, 3]`` BGR, surest first."""
        height, width = pixels.shape[:2]
        size = _working_size(width, height, self._longest_side)
        small = cv2.resize(
            pixels, size, interpolation=cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
        )
        (painted,) = self._network.run(None, {"x": planes(np.asarray(small, np.uint8))[np.newaxis]})
        scale = np.array([width / size[0], height / size[1]], np.float32)
        regions = [Region(_ordered(quad * scale), score) for quad, score in outlined(painted[0, 0])]
        return sorted(regions, key=lambda region: -region.score)


def outlined(painted: npt.NDArray[np.float32]) -> list[tuple[Quad, float]]:
    """Boxes, and their scores, around what is painted: ``float32 [height, width]``, 0 to 1. Pure."""
    mask = cv2.dilate((painted > _PAINTED).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in outlines[:_MOST_REGIONS]:
        centre, (width, height), angle = cv2.minAreaRect(outline)
        if min(width, height) < _LEAST_SIDE:
            continue
        corners = np.asarray(cv2.boxPoints((centre, (width, height), angle)), np.float32)
        score = _mean_inside(painted, corners)
        if score < _LEAST_SCORE:
            continue
        # Growing a rectangle on all sides by area / circumference, which undoes the thinning.
        growth = 2 * width * height * _GROWTH / (2 * (width + height))
        grown = cv2.boxPoints((centre, (width + growth, height + growth), angle))
        found.append((np.asarray(grown, np.float32), score))
    return found


def _mean_inside(painted: npt.NDArray[np.float32], corners: Quad) -> float:
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = painted[top:bottom, left:right]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [(corners - [left, top]).astype(np.int32)], (1,))
    return float(cv2.mean(part, inside)[0])


def _ordered(quad: Quad) -> Quad:
    """The corners from the top left clockwise."""
    by_x = quad[np.argsort(quad[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.stack([left[0], right[0], right[1], left[1]])


def _working_size(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """The network takes multiples of 32."""
    factor = min(1.0, longest_side / max(width, height))
    across, down = (max(1, round(side * factor / _STRIDE)) * _STRIDE for side in (width, height))
    return across, down


def _length(a: Quad, b: Quad) -> float:
    return float(np.linalg.norm(a - b))
