"""Cuts by TransNet V2, a network that looks at 100 frames at once and also sees slow transitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from frameloom.worker.frames.base import FrameBatch
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.scenes.base import Cut
from frameloom.worker.pipelines.scenes.transnet_network import FRAME_SIZE, TransNetV2

_WINDOW = 100
_STEP = 50
_CONTEXT = (_WINDOW - _STEP) // 2
"""Frames on each side of a window whose predictions are not used: they lack context."""


class TransNetCuts:
    """Slides the network over the video and turns runs of high predictions into cuts.

    The first and last frames are repeated as context at the ends, as in the paper's own evaluation. A
    transition may last several frames; the cut is the first frame after it.
    """

    def __init__(self, network: TransNetV2, threshold: float, min_scene_seconds: float) -> None:
        self._network = network
        self._threshold = threshold
        self._min_seconds = min_scene_seconds
        self._frames: deque[npt.NDArray[np.uint8]] = deque()
        self._pending: deque[tuple[int, float]] = deque()
        self._run_score = 0.0
        self._last_cut: float | None = None

    def feed(self, batch: FrameBatch) -> Iterator[Cut]:
        """Cuts that became certain with these frames (RGB, 48x27)."""
        for pixels, timestamp, number in zip(
            batch.pixels, batch.timestamps, batch.frame_numbers, strict=True
        ):
            if not self._frames:
                self._frames.extend([pixels] * _CONTEXT)
                self._last_cut = float(timestamp)
            self._frames.append(pixels)
            self._pending.append((int(number), float(timestamp)))
            if len(self._frames) == _WINDOW:
                yield from self._advance()

    def flush(self) -> Iterator[Cut]:
        """Cuts among the last frames."""
        while self._pending:
            while len(self._frames) < _WINDOW:
                self._frames.append(self._frames[-1])
            yield from self._advance()

    def _advance(self) -> Iterator[Cut]:
        window = torch.from_numpy(np.stack(self._frames)).unsqueeze(0)
        with torch.inference_mode():
            predictions = self._network(window)[0, _CONTEXT : _CONTEXT + _STEP].tolist()
        for _ in range(_STEP):
            self._frames.popleft()
        for prediction in predictions[: len(self._pending)]:
            number, timestamp = self._pending.popleft()
            yield from self._judge(prediction, number, timestamp)

    def _judge(self, prediction: float, number: int, timestamp: float) -> Iterable[Cut]:
        if prediction > self._threshold:
            self._run_score = max(self._run_score, prediction)
            return
        score, self._run_score = self._run_score, 0.0
        if score and self._last_cut is not None and timestamp - self._last_cut >= self._min_seconds:
            self._last_cut = timestamp
            yield Cut(frame=number, timestamp=timestamp, score=score)


def load_network(path: Path) -> TransNetV2:
    """Reads the weights; nothing but tensors is unpickled."""
    network = TransNetV2()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def network(models: ModelStore) -> TransNetV2:
    """The network, loaded once per process."""
    return models.load("transnetv2", load_network)


__all__ = ["FRAME_SIZE", "TransNetCuts", "network"]
