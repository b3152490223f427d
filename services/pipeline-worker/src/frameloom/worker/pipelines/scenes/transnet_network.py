"""The network of TransNet V2 (Souček and Lokoč, 2020, arXiv 2008.04838), for inference.

Written from the paper; the names of the modules follow the published weights, so that they load as
they are. Frames are 48x27 RGB; the output is one probability of a transition per frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAME_SIZE = (48, 27)
"""Width and height of its input in pixels."""

_FILTERS = 16
_BLOCKS = 3
_DILATIONS = (1, 2, 4, 8)
_LOOKUP = 101
"""Each frame is compared with this many neighbours, itself in the middle."""
_SIMILARITY = 128
_HIDDEN = 1024
_BINS_PER_CHANNEL_LOG2 = 3


class _SeparableConv(nn.Module):
    """A spatial convolution, then a dilated one over time."""

    def __init__(self, channels: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(channels, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False),
            nn.Conv3d(
                2 * filters,
                filters,
                (3, 1, 1),
                dilation=(dilation, 1, 1),
                padding=(dilation, 0, 0),
                bias=False,
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


class _DilatedCell(nn.Module):
    """Four separable convolutions that look ever further in time, side by side."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        for dilation in _DILATIONS:
            self.add_module(f"Conv3D_{dilation}", _SeparableConv(channels, filters, dilation))
        self.bn = nn.BatchNorm3d(filters * len(_DILATIONS), eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.get_submodule(f"Conv3D_{dilation}")(x) for dilation in _DILATIONS]
        result: Tensor = self.bn(torch.cat(branches, dim=1))
        return result


class _Stack(nn.Module):
    """Two cells with a shortcut around the second, then the picture is halved."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        width = filters * len(_DILATIONS)
        self.DDCNN = nn.ModuleList([_DilatedCell(channels, filters), _DilatedCell(width, filters)])

    def forward(self, x: Tensor) -> Tensor:
        first = functional.relu(self.DDCNN[0](x))
        second = functional.relu(self.DDCNN[1](first))
        return functional.avg_pool3d(second + first, (1, 2, 2))


class _FrameSimilarity(nn.Module):
    """How alike the learned features of neighbouring frames are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, _SIMILARITY)
        self.fc = nn.Linear(_LOOKUP, _SIMILARITY)

    def forward(self, features: list[Tensor]) -> Tensor:
        means = torch.cat([block.mean(dim=(3, 4)) for block in features], dim=1).transpose(1, 2)
        return functional.relu(self.fc(_neighbour_similarity(self.projection(means))))


class _ColourHistograms(nn.Module):
    """How alike the colours of neighbouring frames are."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(_LOOKUP, _SIMILARITY)

    def forward(self, frames: Tensor) -> Tensor:
        return functional.relu(self.fc(_neighbour_similarity(_histograms(frames))))


class TransNetV2(nn.Module):
    """Probability, for each of a window of frames, that a transition takes place there."""

    def __init__(self) -> None:
        super().__init__()
        widths = [_FILTERS * 2**block * len(_DILATIONS) for block in range(_BLOCKS)]
        inputs = [3, *widths]
        self.SDDCNN = nn.ModuleList([_Stack(inputs[block], _FILTERS * 2**block) for block in range(_BLOCKS)])
        self.frame_sim_layer = _FrameSimilarity(sum(widths))
        self.color_hist_layer = _ColourHistograms()
        width, height = (side // 2**_BLOCKS for side in FRAME_SIZE)
        self.fc1 = nn.Linear(widths[-1] * width * height + 2 * _SIMILARITY, _HIDDEN)
        self.cls_layer1 = nn.Linear(_HIDDEN, 1)
        # A training aid (all frames of a transition, not only its middle): in the weights, not used here.
        self.cls_layer2 = nn.Linear(_HIDDEN, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Runs the network.

        Args:
            frames: ``uint8 [batch, time, 27, 48, 3]``, RGB.

        Returns:
            ``float32 [batch, time]``, 0 to 1.
        """
        x = frames.permute(0, 4, 1, 2, 3).float() / 255
        features: list[Tensor] = []
        for stack in self.SDDCNN:
            x = stack(x)
            features.append(x)
        flat = x.permute(0, 2, 3, 4, 1).flatten(start_dim=2)
        joined = torch.cat([self.color_hist_layer(frames), self.frame_sim_layer(features), flat], dim=2)
        hidden = functional.relu(self.fc1(joined))
        return torch.sigmoid(self.cls_layer1(hidden)).squeeze(2)


def _neighbour_similarity(vectors: Tensor) -> Tensor:
    """Cosine of each vector with its neighbours in time: ``[batch, time, n]`` to ``[batch, time, 101]``."""
    unit = functional.normalize(vectors, dim=2)
    side = _LOOKUP // 2
    matrix = functional.pad(unit @ unit.transpose(1, 2), (side, side))
    # Row t of the padded matrix holds the neighbours of frame t from column t on.
    return torch.stack([matrix[:, t, t : t + _LOOKUP] for t in range(vectors.shape[1])], dim=1)


def _histograms(frames: Tensor) -> Tensor:
    """Counts of 8x8x8 colours per frame: ``[batch, time, 512]``."""
    shift = 8 - _BINS_PER_CHANNEL_LOG2
    coarse = frames.long().flatten(2, 3) >> shift
    bins = 1 << (3 * _BINS_PER_CHANNEL_LOG2)
    weights = torch.tensor([1 << (2 * _BINS_PER_CHANNEL_LOG2), 1 << _BINS_PER_CHANNEL_LOG2, 1])
    index = (coarse * weights).sum(dim=3)
    counts = torch.zeros(*index.shape[:2], bins)
    return counts.scatter_add_(2, index, torch.ones_like(index, dtype=torch.float32))
