"""Figures of acoustics, frame by frame, by librosa's own functions.

Frames are centred on their time, as librosa does it with ``center=True`` and silence at both ends. Nothing is
taken relative to the loudest of the file, so a figure depends on the sound around its own time only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from frameloom.common.pipelines import Row
from frameloom.worker.pipelines.sounds.windows import Grid, Window

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000
FRAME = 1024
"""64 ms: of everything but pitch, whose frames are longer where low voices are looked for."""
MEL_BANDS = 64
_PERIODS = 4
_WINDOW_SECONDS = 10.0
_AROUND_SECONDS = 1.0
"""Pitch goes on smoothly from frame to frame; what is further away has no say in it."""

Feature = Literal[
    "rms",
    "zero_crossing_rate",
    "f0",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    "mfcc",
    "spectral_contrast",
    "chroma",
]
Figures = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be computed.

    Attributes:
        features: Their names.
        hop: Samples from one frame to the next.
        mfcc: How many coefficients.
        pitch: ``pyin`` or ``yin``.
        lowest_hz: Lowest pitch.
        highest_hz: Highest pitch.
    """

    features: tuple[Feature, ...]
    hop: int
    mfcc: int
    pitch: str
    lowest_hz: float
    highest_hz: float

    @property
    def pitch_frame(self) -> int:
        """Samples of a frame for pitch: four periods of the lowest, to a power of two."""
        return max(FRAME, 1 << int(np.ceil(np.log2(_PERIODS * RATE_HZ / self.lowest_hz))))

    @property
    def grid(self) -> Grid:
        """Windows of ten seconds, with a second around them if there is pitch."""
        pitch = "f0" in self.features
        return Grid(
            hop=self.hop,
            length=self.pitch_frame if pitch else FRAME,
            at_once=max(1, round(_WINDOW_SECONDS * RATE_HZ / self.hop)),
            around=round(_AROUND_SECONDS * RATE_HZ / self.hop) if pitch else 0,
        )

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Name, place in a row, and type of each figure."""
        found: list[tuple[str, str, str]] = [("time", "time", "number")]
        for feature in self.features:
            if feature == "f0":
                found += [("f0_hz", "f0_hz", "number")]
                found += [("voiced_probability",) * 2 + ("number",)] if self.pitch == "pyin" else []
            elif size := {"mfcc": self.mfcc, "spectral_contrast": 7, "chroma": 12}.get(feature):
                found += [(f"{feature}_{place + 1}", f"{feature}.{place}", "number") for place in range(size)]
            else:
                name = f"{feature}_hz" if feature in _IN_HZ else feature
                found.append((name, name, "number"))
        return found


_IN_HZ = {"spectral_centroid", "spectral_bandwidth", "spectral_rolloff"}


def librosa_in(folder: Path) -> Any:
    """The library, its compiled parts kept in this folder, because its own may not be writable.

    Compiling takes some twenty seconds, once per machine.
    """
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
    import librosa  # noqa: PLC0415 - brings numba and scipy

    return librosa


def rows(librosa: Any, wanted: Wanted, window: Window) -> list[Row]:
    """One row per frame of the window's own, with ``time`` in seconds."""
    columns = _columns(librosa, wanted, window)
    found: list[Row] = []
    for place in range(window.count):
        row: Row = {"time": round((window.first + place) * wanted.hop / RATE_HZ, 4)}
        for name, values in columns.items():
            row[name] = told(values[place]) if values.ndim == 1 else [told(v) for v in values[place]]
        found.append(row)
    return found


def _columns(librosa: Any, wanted: Wanted, window: Window) -> dict[str, Figures]:
    samples = window.frames(wanted.grid, FRAME)
    spectrum = np.abs(librosa.stft(samples, n_fft=FRAME, hop_length=wanted.hop, center=False))
    feature = librosa.feature
    columns: dict[str, Figures] = {}
    for name in wanted.features:
        if name == "f0":
            columns |= _pitch(librosa, wanted, window)
        elif name == "rms":
            columns[name] = feature.rms(S=spectrum, frame_length=FRAME)[0]
        elif name == "zero_crossing_rate":
            columns[name] = feature.zero_crossing_rate(
                samples, frame_length=FRAME, hop_length=wanted.hop, center=False
            )[0]
        elif name == "mfcc":
            columns[name] = feature.mfcc(S=_mel_decibels(librosa, spectrum), n_mfcc=wanted.mfcc).T
        elif name == "chroma":
            # A tuning of its own for each window would be another scale for each.
            columns[name] = feature.chroma_stft(S=spectrum**2, sr=RATE_HZ, tuning=0.0).T
        elif name == "spectral_contrast":
            columns[name] = feature.spectral_contrast(S=spectrum, sr=RATE_HZ).T
        elif name == "spectral_flatness":
            columns[name] = feature.spectral_flatness(S=spectrum)[0]
        else:
            columns[f"{name}_hz"] = getattr(feature, name)(S=spectrum, sr=RATE_HZ)[0]
    return columns


def _mel_decibels(librosa: Any, spectrum: Figures) -> Figures:
    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=RATE_HZ, n_mels=MEL_BANDS)
    decibels: Figures = librosa.power_to_db(mel, top_db=None)
    return decibels


def _pitch(librosa: Any, wanted: Wanted, window: Window) -> dict[str, Figures]:
    samples = window.frames(wanted.grid, wanted.pitch_frame, around=True)
    options = {
        "fmin": wanted.lowest_hz,
        "fmax": wanted.highest_hz,
        "sr": RATE_HZ,
        "frame_length": wanted.pitch_frame,
        "hop_length": wanted.hop,
        "center": False,
    }
    own = slice(window.before, window.before + window.count)
    if wanted.pitch == "yin":
        return {"f0_hz": librosa.yin(samples, **options)[own]}
    pitch, _, probability = librosa.pyin(samples, **options)
    return {"f0_hz": pitch[own], "voiced_probability": probability[own]}


def told(value: float) -> float | None:
    """Six digits, and no figure where there is none."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
