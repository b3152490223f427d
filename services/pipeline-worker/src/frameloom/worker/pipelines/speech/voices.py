"""Voices as numbers: the GE2E encoder of Resemblyzer, a vector of 256 for each stretch of speech.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", 2018: three LSTM layers over mel bands,
the last state through one layer, brought to length one. The cosine of two vectors tells whether one person
spoke.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from frameloom.worker.pipelines.speech.activity import RATE_HZ, Samples

if TYPE_CHECKING:
    from frameloom.worker.models.store import ModelStore

MODEL = "resemblyzer"
EMBEDDING = 256
WINDOW_SECONDS = 1.6
"""What the encoder was trained on."""

_WINDOW = 400
_HOP = 160
_BANDS = 40
_FRAMES = 160
_LOUDNESS_DB = -30.0
_BATCH = 64

Vectors = npt.NDArray[np.float32]


class VoiceEncoder:
    """The loaded network."""

    def __init__(self, lstm: Any, linear: Any) -> None:
        self._lstm = lstm
        self._linear = linear

    def encode(self, pieces: list[Samples]) -> Vectors:
        """Vectors ``float32 [N, 256]`` of pieces of 1.6 s each; shorter ones are filled up with silence."""
        import torch  # noqa: PLC0415

        if not pieces:
            return np.zeros((0, EMBEDDING), np.float32)
        found = []
        with torch.inference_mode():
            for begin in range(0, len(pieces), _BATCH):
                bands = np.stack([mel_bands(piece) for piece in pieces[begin : begin + _BATCH]])
                _, (hidden, _) = self._lstm(torch.from_numpy(bands))
                raw = torch.relu(self._linear(hidden[-1]))
                found.append((raw / torch.clamp(raw.norm(dim=1, keepdim=True), min=1e-6)).numpy())
        return np.concatenate(found).astype(np.float32)


def encoder(models: ModelStore) -> VoiceEncoder:
    """The encoder, loaded once per process."""
    return models.load(MODEL, _load)


def mel_bands(samples: Samples) -> npt.NDArray[np.float32]:
    """Power in 40 mel bands, ``float32 [160, 40]``: 25 ms windows every 10 ms, brought up to -30 dBFS."""
    wanted = int(WINDOW_SECONDS * RATE_HZ)
    sound = np.zeros(wanted, np.float64)
    sound[: min(len(samples), wanted)] = samples[:wanted]
    level = 10 * np.log10(np.mean(np.square(sound)) + 1e-12)
    if level < _LOUDNESS_DB:
        sound *= 10 ** ((_LOUDNESS_DB - level) / 20)
    padded = np.pad(sound, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:_FRAMES]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1], axis=1)) ** 2
    return (power @ _filters()).astype(np.float32)


@cache
def _filters() -> npt.NDArray[np.float64]:
    """Triangles on Slaney's mel scale, each of area one (Slaney, Auditory Toolbox, 1998): ``[201, 40]``."""
    edges = _to_hz(np.linspace(0.0, _to_mel(RATE_HZ / 2), _BANDS + 2))
    bins = np.linspace(0.0, RATE_HZ / 2, _WINDOW // 2 + 1)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (high - low))


_LINEAR_HZ = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0


def _to_mel(frequency: float) -> float:
    """Linear below 1 kHz, logarithmic above."""
    if frequency < _LOG_FROM_HZ:
        return frequency / _LINEAR_HZ
    return float(_LOG_FROM_MEL + np.log(frequency / _LOG_FROM_HZ) / _LOG_STEP)


def _to_hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL))
    return np.where(mels < _LOG_FROM_MEL, mels * _LINEAR_HZ, above)


def _load(path: Path) -> VoiceEncoder:
    import torch  # noqa: PLC0415 - takes seconds to import

    stored = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    lstm = torch.nn.LSTM(_BANDS, EMBEDDING, num_layers=3, batch_first=True)
    linear = torch.nn.Linear(EMBEDDING, EMBEDDING)
    for module, prefix in ((lstm, "lstm."), (linear, "linear.")):
        part = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
        module.load_state_dict(part)
        module.eval()
    return VoiceEncoder(lstm, linear)
