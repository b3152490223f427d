"""Small clips made on the spot with PyAV: tests need no media files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = Callable[[int], npt.NDArray[np.uint8]]


def flat(width: int, height: int, colours: Sequence[tuple[int, int, int]], length: int) -> Picture:
    """Shots of one colour each (RGB), ``length`` frames long, with a little texture."""
    texture = np.random.default_rng(7).integers(0, 12, (height, width, 1), dtype=np.uint8)

    def picture(index: int) -> npt.NDArray[np.uint8]:
        colour = colours[min(index // length, len(colours) - 1)]
        return (np.array(colour, np.uint8) + texture).astype(np.uint8)

    return picture


def numbered(width: int, height: int) -> Picture:
    """Brightness rises by 3 per frame: a frame tells its own index, modulo 70."""

    def picture(index: int) -> npt.NDArray[np.uint8]:
        return np.full((height, width, 3), 20 + 3 * (index % 70), np.uint8)

    return picture


def index_of(pixels: npt.NDArray[np.uint8]) -> int:
    """The index that :func:`numbered` wrote."""
    return round((float(pixels.mean()) - 20) / 3)


def write(
    path: Path,
    picture: Picture,
    *,
    size: tuple[int, int] = (64, 48),
    times_ms: Sequence[int] | None = None,
    frames: int = 50,
    fps: int = 25,
    codec: str = "libx264",
    pixel_format: str = "",
    gop: int = 10,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    sound_seconds: float = 0.0,
    colour_space: int = 2,
) -> Path:
    """Writes a clip; the container follows from the suffix of the path.

    ``times_ms`` gives each frame's time, for variable frame rates; else ``frames`` at ``fps``.
    ``colour_space`` is FFmpeg's number of the colour matrix; 2 tells none.
    """
    times = list(times_ms) if times_ms is not None else list(range(frames))
    time_base = Fraction(1, 1000 if times_ms is not None else fps)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        usual = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        stream.pix_fmt = pixel_format or ("yuvj420p" if codec == "mjpeg" else usual)
        stream.time_base = stream.codec_context.time_base = time_base
        stream.gop_size = gop
        if codec in {"mpeg4", "mjpeg", "libvpx"}:
            stream.bit_rate = 4_000_000  # their defaults blur the brightness that tells the frame
        if times_ms is not None:
            # The muxer takes the length from the last frame in order of decoding: wrong with uneven B-frames.
            stream.codec_context.max_b_frames = 0
        stream.codec_context.colorspace = colour_space
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=16000) if sound_seconds else None
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            if colour_space != 2:
                frame = frame.reformat(format=stream.pix_fmt, dst_colorspace=colour_space)
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_sound(container, sound, sound_seconds)
    return path


class Unseekable:
    """A sink that can only be written on, like a live recording: the container can not learn its length."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()


def write_live(path: Path, picture: Picture, *, frames: int = 50) -> Path:
    """A WebM without a length, as browsers record it; 64x48 at 25 frames a second."""
    sink = Unseekable(path)
    with av.open(sink, "w", format="webm", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    sink.close()
    return path


def write_sound_only(path: Path, seconds: float = 1.0) -> Path:
    """A file without any picture."""
    with av.open(str(path), "w") as container:
        _write_sound(container, container.add_stream("aac", rate=16000), seconds)
    return path


def truncate(source: Path, target: Path, fraction: float) -> Path:
    """The first part of a file."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * fraction)])
    return target


def _write_sound(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = 1024
    for block in range(int(seconds * 16000 / samples)):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, block * samples, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
