"""Clips for the measurement, made on the spot: moving, grainy, with their true times known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

FPS = 30
GOP = 60


@dataclass(frozen=True)
class Clip:
    """One way to code a video.

    Attributes:
        name: For the table.
        codec: FFmpeg's encoder.
        suffix: Of the file.
        pixels: FFmpeg's pixel format.
        size: Width and height.
        colours: FFmpeg's number of the colour matrix.
        options: Of the encoder.
    """

    name: str
    codec: str
    suffix: str = "mp4"
    pixels: str = "yuv420p"
    size: tuple[int, int] = (1920, 1080)
    colours: int = 1
    options: tuple[tuple[str, str], ...] = (("preset", "veryfast"),)


CLIPS = (
    Clip("h264 1080p", "libx264"),
    Clip("h264 1080p bt601", "libx264", suffix="mkv", colours=6),
    Clip("h264 1080p ts", "libx264", suffix="ts"),
    Clip("h264 4k", "libx264", size=(3840, 2160)),
    Clip("h264 10 bit", "libx264", pixels="yuv420p10le"),
    Clip("hevc 1080p", "libx265", options=(("preset", "veryfast"), ("x265-params", "log-level=none"))),
    Clip(
        "hevc 10 bit",
        "libx265",
        pixels="yuv420p10le",
        options=(("preset", "veryfast"), ("x265-params", "log-level=none")),
    ),
    Clip("vp9 1080p", "libvpx-vp9", suffix="webm", options=(("deadline", "realtime"), ("cpu-used", "8"))),
    Clip("av1 1080p", "libsvtav1", options=(("preset", "12"), ("svtav1-params", "lp=2"))),
    Clip("mpeg4 1080p", "mpeg4", options=()),
    Clip("mjpeg 1080p", "mjpeg", suffix="mov", pixels="yuvj420p", options=()),
)


def made(folder: Path, clip: Clip, seconds: int) -> Path:
    """Path of the clip, which is written if it is not there yet."""
    path = folder / f"{clip.name.replace(' ', '-')}-{seconds}s.{clip.suffix}"
    if path.exists():
        return path
    unfinished = path.with_name(f"unfinished-{path.name}")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream(clip.codec, rate=FPS, options=dict(clip.options))
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixels
        stream.gop_size = GOP
        stream.bit_rate = 8_000_000 * clip.size[0] * clip.size[1] // (1920 * 1080)
        stream.codec_context.colorspace = clip.colours
        pictures = _pictures(clip.size)
        for index in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(pictures[index % len(pictures)], format="rgb24")
            frame = frame.reformat(format=clip.pixels, dst_colorspace=clip.colours)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unfinished.rename(path)
    return path


def _pictures(size: tuple[int, int], count: int = 24) -> list[npt.NDArray[np.uint8]]:
    """A few pictures that follow each other smoothly, in colours, with grain."""
    grain = np.random.default_rng(7).normal(0, 5, (size[1], size[0], 1)).astype(np.float32)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    found = []
    for index in range(count):
        turn = 2 * np.pi * index / count
        light = 110 + 50 * np.sin(x / 90 + turn) * np.cos(y / 70 - turn)
        tints = [30 * np.sin((x + y) / 300 + phase + turn) for phase in (0.0, 2.1, 4.2)]
        picture = np.stack([light + tint for tint in tints], axis=2) + np.roll(grain, index * 37, axis=1)
        found.append(np.clip(picture, 0, 255).astype(np.uint8))
    return found
