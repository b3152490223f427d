"""Sound files made on the spot with PyAV, in any format."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

TONE_HZ = 440.0


def tone(
    path: Path,
    codec: str,
    *,
    seconds: float = 2.0,
    rate: int = 44_100,
    layout: str = "stereo",
    loud_from: float = 0.0,
    gap: tuple[float, float] | None = None,
    stretch: float = 0.0,
) -> Path:
    """A tone that begins at ``loud_from``.

    With ``gap`` the packets of that time are left out; what follows comes ``stretch`` seconds later.
    """
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layout)
        step = stream.codec_context.frame_size or 1024
        channels = stream.layout.nb_channels
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        for begin in range(0, int(seconds * rate), step):
            time = np.arange(begin, begin + step) / rate
            wave = (0.5 * np.sin(2 * np.pi * TONE_HZ * time) * (time >= loud_from)).astype(np.float32)
            if gap is not None and gap[0] <= time[0] < gap[1]:
                continue
            frame = av.AudioFrame.from_ndarray(np.tile(wave, (channels, 1)), format="fltp", layout=layout)
            late = round(stretch * rate) if gap is not None and time[0] >= gap[1] else 0
            frame.sample_rate, frame.pts, frame.time_base = rate, begin + late, Fraction(1, rate)
            for ready in resampler.resample(frame):
                ready.pts = begin + late
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return path
