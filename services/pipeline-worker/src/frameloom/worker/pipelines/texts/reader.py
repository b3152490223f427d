"""What a line of text says: PP-OCR's recognition network, and the decoding of its answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.texts.finder import Quad
from frameloom.worker.pipelines.texts.network import Pixels, planes, session

MODEL = "pp-ocr-recognition"
_HEIGHT = 48
_LEAST_WIDTH = 320
_MOST_WIDTH = 3200
_BATCH_WIDTH = 5120
"""Lines side by side per call: the answer takes 18,710 numbers for each eight pixels."""
_UPRIGHT = 1.5
"""A line this much higher than wide runs from top to bottom, and is turned."""


class TextReader:
    """Reads lines of text."""

    def __init__(self, models: ModelStore) -> None:
        self._network = models.load(MODEL, session)
        self._letters = letters(self._network)

    def read(self, pixels: Pixels, quads: Sequence[Quad]) -> list[tuple[str, float]]:
        """Text and confidence of each line of a picture; the confidence is the mean over its letters."""
        lines = [_line(pixels, quad) for quad in quads]
        said: list[tuple[str, float]] = [("", 0.0)] * len(lines)
        # Lines of like length together: a batch is as wide as its longest.
        order = sorted(range(len(lines)), key=lambda place: lines[place].shape[1])
        for places in batches(order, [max(_LEAST_WIDTH, line.shape[1]) for line in lines]):
            width = max(_LEAST_WIDTH, lines[places[-1]].shape[1])
            batch = np.zeros((len(places), 3, _HEIGHT, width), np.float32)
            for row, place in enumerate(places):
                batch[row, :, :, : lines[place].shape[1]] = planes(lines[place])
            (answers,) = self._network.run(None, {"x": batch})
            for place, answer in zip(places, answers, strict=True):
                said[place] = decoded(answer, self._letters)
        return said


def batches(order: Sequence[int], widths: Sequence[int]) -> Iterator[list[int]]:
    """Lines, given from the narrowest to the widest, in groups that are not too wide in all. Pure."""
    group: list[int] = []
    for place in order:
        if group and (len(group) + 1) * widths[place] > _BATCH_WIDTH:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def letters(network: Any) -> list[str]:
    """What the network's classes stand for: nothing, its own letters, a space."""
    return ["", *network.get_modelmeta().custom_metadata_map["character"].split("\n"), " "]


def decoded(answer: npt.NDArray[np.float32], known: Sequence[str]) -> tuple[str, float]:
    """Text and confidence of ``float32 [time, classes]``: repeats and blanks fall out (CTC). Pure."""
    best = answer.argmax(axis=1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    if not kept.any():
        return "", 0.0
    text = "".join(known[place] for place in best[kept])
    return " ".join(text.split()), float(answer.max(axis=1)[kept].mean())


def _line(pixels: Pixels, quad: Quad) -> Pixels:
    """The line by itself, upright, 48 pixels high."""
    across = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
    down = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
    width, height = max(1, int(across)), max(1, int(down))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    cut = cv2.warpPerspective(
        pixels,
        cv2.getPerspectiveTransform(quad, corners),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if height >= width * _UPRIGHT:
        cut = cv2.rotate(cut, cv2.ROTATE_90_COUNTERCLOCKWISE)
        width, height = height, width
    wide = min(max(1, math.ceil(_HEIGHT * width / height)), _MOST_WIDTH)
    return np.asarray(cv2.resize(cut, (wide, _HEIGHT)), np.uint8)
