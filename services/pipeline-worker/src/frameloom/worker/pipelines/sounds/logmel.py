"""What YAMNet hears: log-mel patches of 0.96 seconds, computed as its authors compute them.

Frames of 25 ms every 10 ms under a periodic Hann window, magnitudes of a 512-point transform, 64 triangles
on the mel scale (HTK's formula) from 125 to 7500 Hz, and the logarithm of that plus 0.001. The triangles are
straight in mel, not in Hz, which is where other libraries' filters differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Patch = npt.NDArray[np.float32]

RATE_HZ = 16_000
FRAMES = 96
BANDS = 64
FRAME_SECONDS = 0.010
PATCH_SECONDS = FRAMES * FRAME_SECONDS

_STEP = 160
_WINDOW = 400
_TRANSFORM = 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7500.0
_OFFSET = 0.001
SAMPLES = _WINDOW + (FRAMES - 1) * _STEP
"""What one patch is made of: 0.975 seconds."""


def log_mel(samples: Samples) -> Patch:
    """The patch of exactly :data:`SAMPLES` samples: ``float32 [96, 64]``."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_STEP]
    spectrum = np.abs(np.fft.rfft(frames * _hann(), _TRANSFORM))
    patch: Patch = np.log(spectrum @ mel_weights() + _OFFSET).astype(np.float32)
    return patch


@cache
def mel_weights() -> npt.NDArray[np.float64]:
    """How much of each frequency goes into each band: ``[257, 64]``. The constant part goes nowhere."""
    frequencies = np.linspace(0.0, RATE_HZ / 2, _TRANSFORM // 2 + 1)
    edges = np.linspace(_mel(np.array(_LOWEST_HZ)), _mel(np.array(_HIGHEST_HZ)), BANDS + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    place = _mel(frequencies)[:, None]
    weights = np.minimum((place - low) / (middle - low), (high - place) / (high - middle))
    weights = np.maximum(weights, 0.0)
    weights[0] = 0.0
    return weights


@cache
def _hann() -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)


def _mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(hz / 700.0)


class Patches:
    """Cuts a stream into overlapping stretches, one for each patch; holds less than one of them.

    Args:
        hop_frames: From one patch to the next, in frames of 10 ms.
    """

    def __init__(self, hop_frames: int) -> None:
        self._hop = hop_frames * _STEP
        self._held: Samples = np.zeros(0, np.float32)
        self._heard = 0
        self._covered = 0

    @property
    def heard(self) -> int:
        """Samples that came in."""
        return self._heard

    def feed(self, samples: Samples) -> Iterator[Samples]:
        """The stretches that are complete."""
        self._held = np.concatenate((self._held, samples))
        self._heard += len(samples)
        place = 0
        while len(self._held) - place >= SAMPLES:
            yield self._held[place : place + SAMPLES]
            self._covered = self._heard - len(self._held) + place + SAMPLES
            place += self._hop
        self._held = self._held[place:].copy()

    def flush(self) -> Iterator[Samples]:
        """The last stretch, filled up with silence, if there is sound that is in no other."""
        if self._heard > self._covered:
            yield np.pad(self._held, (0, SAMPLES - len(self._held)))
        self._held, self._covered = self._held[:0], self._heard
