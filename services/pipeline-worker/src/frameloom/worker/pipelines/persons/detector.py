"""NanoDet (RangiLyu, 2020): finds persons in pictures of 416 by 416 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.persons.graph_network import GraphNetwork
from frameloom.worker.pipelines.persons.tfjs import read_graph

Floats = npt.NDArray[np.float32]
Precision = Literal["float32", "bfloat16"]

SIDE = 416
"""Pictures are stretched to this width and height, as the network was trained."""
STRIDES = (8, 16, 32)
BINS = 11
"""Each side of a box is a distribution over this many distances, in strides."""

_PERSON = 0
_MEAN = (103.53, 116.28, 123.675)
_SPREAD = (57.375, 57.12, 58.395)
_CANDIDATES = 400
"""Most boxes per picture that go into the suppression; the best are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Persons of one picture, best first.

    Attributes:
        boxes: ``float32 [N, 4]``: left, top, right, bottom, as fractions of the picture, within it.
        scores: ``float32 [N]``, 0 to 1.
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return int(self.scores.shape[0])


class PersonDetector:
    """The network with what stands before and behind it."""

    def __init__(self, models: ModelStore, precision: Precision = "float32") -> None:
        self._network = models.load("nanodet", _Loader(models.path("nanodet-graph")))
        self._half = precision == "bfloat16"

    def find(
        self, pictures: npt.NDArray[np.uint8], *, least_score: float, overlap: float, most: int
    ) -> list[Detections]:
        """Persons in each of ``uint8 [N, 416, 416, 3]`` pictures in BGR order.

        Args:
            pictures: Stretched to the network's size.
            least_score: Of a person.
            overlap: Intersection over union from which on the worse of two boxes is dropped.
            most: Persons per picture; the best are kept.
        """
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            outputs = self._network(_normalised(pictures))
        levels = len(STRIDES)
        scores = [output.float().numpy() for output in outputs[:levels]]
        sides = [output.float().numpy() for output in outputs[levels:]]
        boxes_of, scores_of = decode(scores, sides, least_score)
        found = []
        for boxes, values in zip(boxes_of, scores_of, strict=True):
            kept = suppress(boxes, values, overlap)[:most]
            found.append(Detections(boxes[kept] / np.float32(SIDE), values[kept]))
        return found


def decode(
    scores: list[Floats], sides: list[Floats], least_score: float
) -> tuple[list[Floats], list[Floats]]:
    """Boxes in pixels and scores of each picture, best first, from the outputs of all strides at once.

    Args:
        scores: For each stride ``[N, cells, classes]``.
        sides: For each stride ``[N, cells, 4 * BINS]``: left, top, right, bottom.
        least_score: Only cells with at least this score of a person are looked at: a few in a thousand.

    Returns:
        For each picture ``[M, 4]`` (left, top, right, bottom) within the picture, and ``[M]``.
    """
    person = np.concatenate([level[:, :, _PERSON] for level in scores], axis=1)
    picture, cell = np.nonzero(person >= least_score)
    logits = np.concatenate(sides, axis=1)[picture, cell].reshape(-1, 4, BINS)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    distances = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2)
    centres, strides = _grid()
    reach = distances * strides[cell, None]
    corners = np.concatenate([centres[cell] - reach[:, :2], centres[cell] + reach[:, 2:]], axis=1)
    boxes = np.clip(corners, 0, SIDE).astype(np.float32)
    values = person[picture, cell]
    order = np.lexsort((cell, -values, picture))  # ties by place: the same answer on every machine
    ends = np.searchsorted(picture[order], np.arange(1, person.shape[0]))
    chosen = [part[:_CANDIDATES] for part in np.split(order, ends)]
    return [boxes[part] for part in chosen], [values[part] for part in chosen]


def suppress(boxes: Floats, scores: Floats, overlap: float) -> npt.NDArray[np.int64]:
    """Places of the boxes that no better one covers, best first; greedy non-maximum suppression."""
    order = np.argsort(-scores, kind="stable")
    covered = overlaps(boxes[order], boxes[order]) > overlap
    kept: list[int] = []
    dropped = np.zeros(len(order), bool)
    for place in range(len(order)):
        if not dropped[place]:
            kept.append(place)
            dropped |= covered[place]
    return order[np.array(kept, np.int64)]


def overlaps(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Intersection over union of every pair: ``[N, 4]`` and ``[M, 4]`` corners give ``[N, M]``."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    opposite = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.maximum(opposite - corner, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    shares: npt.NDArray[np.floating] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def _grid() -> tuple[Floats, Floats]:
    """Centre and stride of every cell, in the order of the outputs."""
    centres, strides = [], []
    for stride in STRIDES:
        places = (np.arange(SIDE // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(places, places)
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


def _normalised(pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    """``float32 [N, 3, height, width]`` over the same order in memory as the pictures'."""
    values = torch.tensor(pictures).to(torch.float32)  # a copy: batches can not be changed
    return values.sub_(torch.tensor(_MEAN)).div_(torch.tensor(_SPREAD)).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class _Loader:
    """Makes the network of both files; equal for equal files, so that a process loads it once."""

    topology: Path

    def __call__(self, weights: Path) -> GraphNetwork:
        return GraphNetwork(read_graph(self.topology, weights))
