"""Emotions and 68 landmarks of a face: two small networks of face-api, in PyTorch.

Both are four dense blocks of depthwise separable convolutions over a square crop of 112 pixels, then one
layer: 7 emotions, or 68 points. Their weights are stored as bytes with a scale and an offset for each array.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.faces.config import EMOTIONS, EXPRESSION_FILES, LANDMARK_FILES
from frameloom.worker.pipelines.faces.crops import Box, Pixels, cut, square
from frameloom.worker.pipelines.persons.tfjs import read_weights

Points = npt.NDArray[np.float32]

_SIDE = 112
_MEAN = (122.782, 117.001, 104.298)
"""Red, green, blue."""
_CHANNELS = (3, 32, 64, 128, 256)
_POINTS = 68
_LANDMARK_ROOM = 1.1
_EXPRESSION_ROOM = 1.2
"""How much larger than a face's box the square is that a network looks at: see docs/benchmarks.md."""


class _Separable(nn.Module):
    """A convolution of each channel by itself, then one across them."""

    def __init__(self, given: int, channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(given, given, 3, stride, groups=given, bias=False)
        self.pointwise = nn.Conv2d(given, channels, 1)
        self._stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.pointwise(self.depthwise(_same(x, self._stride)))
        return y


class _First(nn.Module):
    """The first convolution of all, an ordinary one."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.filters = nn.Conv2d(given, channels, 3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.filters(_same(x, 2))
        return y


class _Dense(nn.Module):
    """Four convolutions, of which each sees the sum of all before it."""

    def __init__(self, given: int, channels: int, *, first: bool) -> None:
        super().__init__()
        self.conv0: nn.Module = _First(given, channels) if first else _Separable(given, channels, 2)
        self.conv1 = _Separable(channels, channels, 1)
        self.conv2 = _Separable(channels, channels, 1)
        self.conv3 = _Separable(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.relu(self.conv0(x))
        for layer in (self.conv1, self.conv2, self.conv3):
            total = total + layer(torch.relu(total))
        return torch.relu(total)


class FaceNetwork(nn.Module):
    """``float32 [N, 3, 112, 112]`` to ``[N, outputs]``."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        for place, (given, channels) in enumerate(pairwise(_CHANNELS)):
            self.add_module(f"dense{place}", _Dense(given, channels, first=place == 0))
        self.fc = nn.Linear(_CHANNELS[-1], outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The last layer's numbers, as they are."""
        for place in range(len(_CHANNELS) - 1):
            x = self.get_submodule(f"dense{place}")(x)
        y: torch.Tensor = self.fc(functional.avg_pool2d(x, 7).flatten(1))
        return y


class ExpressionReader:
    """Tells how likely each emotion is to be the one that a face shows."""

    def __init__(self, models: ModelStore) -> None:
        self._network = models.load_folder(EXPRESSION_FILES, _load_expressions)

    @torch.inference_mode()
    def read(self, pixels: Pixels, boxes: Sequence[Box]) -> npt.NDArray[np.float32]:
        """Probabilities ``[N, 7]`` in the order of :data:`EMOTIONS`.

        Args:
            pixels: BGR frame.
            boxes: Left, top, width, height of each face.
        """
        if not boxes:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        crops = np.stack([cut(pixels, *square(box, _EXPRESSION_ROOM), _SIDE) for box in boxes])
        found: npt.NDArray[np.float32] = torch.softmax(self._network(_tensor(crops)), dim=1).numpy()
        return found


class LandmarkFinder:
    """Finds 68 points: outline of the jaw, brows, nose, eyes, mouth, in the order of iBUG 300-W."""

    def __init__(self, models: ModelStore) -> None:
        self._network = models.load_folder(LANDMARK_FILES, _load_landmarks)

    @torch.inference_mode()
    def find(self, pixels: Pixels, boxes: Sequence[Box]) -> Points:
        """Points ``[N, 68, 2]`` in pixels of the frame; arguments as for :meth:`ExpressionReader.read`."""
        if not boxes:
            return np.zeros((0, _POINTS, 2), np.float32)
        squares = [square(box, _LANDMARK_ROOM) for box in boxes]
        crops = np.stack([cut(pixels, *found, _SIDE) for found in squares])
        points = self._network(_tensor(crops)).numpy().reshape(-1, _POINTS, 2)
        places = np.array(squares, np.float32)
        found: Points = places[:, None, :2] + points * places[:, None, 2:]
        return found


def _tensor(crops: Pixels) -> torch.Tensor:
    rgb = torch.from_numpy(crops).flip(-1).permute(0, 3, 1, 2).to(torch.float32)
    made = (rgb - torch.tensor(_MEAN).view(1, 3, 1, 1)) / 255
    return made.contiguous(memory_format=torch.channels_last)


def _same(x: torch.Tensor, stride: int) -> torch.Tensor:
    """TensorFlow's "same" for windows of three: with a stride of two, nothing is added on top or left."""
    return functional.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


def _load_expressions(folder: Path) -> FaceNetwork:
    return load_network(folder, "face_expression_model", len(EMOTIONS))


def _load_landmarks(folder: Path) -> FaceNetwork:
    return load_network(folder, "face_landmark_68_model", 2 * _POINTS)


def load_network(folder: Path, name: str, outputs: int) -> FaceNetwork:
    """Reads one of the networks from its manifest and its weights.

    Raises:
        UnknownFormatError: They do not fit together.
        RuntimeError: They are of another network.
    """
    manifest = json.loads((folder / f"{name}-weights_manifest.json").read_text("utf-8"))
    entries = [entry for group in manifest for entry in group["weights"]]
    arrays = read_weights(entries, (folder / f"{name}.bin").read_bytes())
    network = FaceNetwork(outputs)
    network.load_state_dict(_state(arrays))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _state(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, torch.Tensor]:
    """TensorFlow's names and shapes in PyTorch's."""
    made: dict[str, torch.Tensor] = {}
    for name, values in arrays.items():
        block, _, rest = name.rpartition("/")
        place = block.replace("/", ".")
        found = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        match rest:
            case "filters" | "pointwise_filter":
                layer = "filters" if rest == "filters" else "pointwise"
                made[f"{place}.{layer}.weight"] = found.permute(3, 2, 0, 1)
            case "depthwise_filter":
                made[f"{place}.depthwise.weight"] = found.permute(2, 3, 0, 1)
            case "weights":
                made[f"{place}.weight"] = found.T
            case _ if block == "fc":
                made["fc.bias"] = found
            case _:
                layer = "filters" if f"{block}/filters" in arrays else "pointwise"
                made[f"{place}.{layer}.bias"] = found
    return made
