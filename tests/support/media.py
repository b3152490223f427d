"""Small videos made on the spot, sound and damaged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def clip(
    path: Path,
    *,
    seconds: float = 1.0,
    fps: int = 10,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    index_first: bool = False,
) -> Path:
    """A video whose second half is another scene, in the container that its ending names.

    The index of an MP4 stands at its end, unless asked for at first.
    """
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    count = int(seconds * fps)
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            value = 30 if number < count / 2 else 220
            picture = np.full((size[1], size[0], 3), value, dtype=np.uint8)
            picture[:, number % size[0]] = 255 - value
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def truncated(path: Path, source: Path, share: float = 0.5) -> Path:
    """The first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
