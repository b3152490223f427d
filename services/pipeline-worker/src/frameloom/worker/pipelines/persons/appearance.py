"""What a person looks like: 1280 numbers from MobileNetV2 (Sandler et al., CVPR 2018), trained on ImageNet.

It is no network for telling persons apart. It tells colours and clothing well enough to choose among the few
persons who left a picture a moment ago.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from frameloom.worker.models.store import ModelStore

Embedding = npt.NDArray[np.float32]

_SIZE = (128, 64)
"""Height and width of a crop: the shape of a person, a sixth of the usual picture's pixels."""
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, channels, repetitions, stride: table 2 of the paper."""


class _Block(nn.Module):
    """Inverted residual."""

    def __init__(self, given: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = given * expansion
        widen = [] if expansion == 1 else _layer(given, inner, 1)
        narrow = [nn.Conv2d(inner, channels, 1, bias=False), nn.BatchNorm2d(channels)]
        self.conv = nn.Sequential(*widen, *_layer(inner, inner, 3, stride, inner), *narrow)
        self._residual = stride == 1 and given == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return x + y if self._residual else y


class MobileNetV2(nn.Module):
    """The network without its classifier; names of the parameters as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(*_layer(3, 32, 3, 2))]
        given = 32
        for expansion, channels, times, stride in _BLOCKS:
            for place in range(times):
                layers.append(_Block(given, channels, stride if place == 0 else 1, expansion))
                given = channels
        layers.append(nn.Sequential(*_layer(given, 1280, 1)))
        self.features = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, 3, height, width]`` to ``[N, 1280]``."""
        y: torch.Tensor = self.features(x)
        return y.mean((2, 3))


class AppearanceEmbedder:
    """Turns boxes of a picture into unit vectors."""

    def __init__(self, models: ModelStore) -> None:
        self._network = models.load("mobilenetv2-bottleneck", _load)

    @torch.inference_mode()
    def embed(self, picture: npt.NDArray[np.uint8], boxes: npt.NDArray[np.floating]) -> list[Embedding]:
        """``float32 [1280]`` for each box, given as fractions of the BGR picture."""
        if not len(boxes):
            return []
        rgb = torch.tensor(picture).permute(2, 0, 1).flip(0).to(torch.float32)
        crops = torch.cat([_crop(rgb, box) for box in boxes]).div_(255)
        mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
        vectors = self._network(((crops - mean) / spread).contiguous(memory_format=torch.channels_last))
        unit: npt.NDArray[np.float32] = functional.normalize(vectors, dim=1).numpy()
        return [vector.copy() for vector in unit]


def _crop(rgb: torch.Tensor, box: npt.NDArray[np.floating]) -> torch.Tensor:
    height, width = rgb.shape[1:]
    left, right = (int(np.clip(round(float(edge) * width), 0, width)) for edge in box[[0, 2]])
    top, bottom = (int(np.clip(round(float(edge) * height), 0, height)) for edge in box[[1, 3]])
    left, top = min(left, width - 1), min(top, height - 1)
    cut = rgb[None, :, top : max(bottom, top + 1), left : max(right, left + 1)]
    return functional.interpolate(cut, _SIZE, mode="bilinear", align_corners=False, antialias=True)


def _layer(given: int, channels: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(given, channels, size, stride, size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(channels), nn.ReLU6(inplace=True)]


def _load(path: Path) -> MobileNetV2:
    network = MobileNetV2()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
