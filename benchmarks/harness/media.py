"""The clips that are annotated: made on the spot, and never the same bytes twice."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

_GRAIN = 6


def tiny_clip(path: Path, *, seconds: float = 3.0, fps: int = 25, size: tuple[int, int] = (160, 120)) -> Path:
    """A video whose second half is another scene."""
    grain = np.random.default_rng(7)
    count = int(seconds * fps)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(count):
            value = 60 if number < count / 2 else 190
            picture = np.full((size[1], size[0], 3), value, dtype=np.int16)
            picture += grain.integers(-_GRAIN, _GRAIN + 1, picture.shape, dtype=np.int16)
            picture[:, number % size[0]] = 255 - value
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def unique(source: bytes, size_bytes: int = 0) -> bytes:
    """The same video under another sha256, so that no cache of the worker answers for it.

    Random bytes in a box that players skip bring it to ``size_bytes``; 16 of them at least.
    """
    return source + _free_box(os.urandom(max(16, size_bytes - len(source) - 8)))


def padded(source: Path, path: Path, size_bytes: int) -> Path:
    """The same video in a file of this size: the rest is a ``free`` box, a hole on the disk."""
    body = source.read_bytes()
    rest = size_bytes - len(body)
    with path.open("wb") as file:
        file.write(body)
        file.write(
            struct.pack(">I4s", rest, b"free") if rest < 2**32 else struct.pack(">I4sQ", 1, b"free", rest)
        )
        file.truncate(size_bytes)
    return path


def long_clip(source: Path, path: Path, *, seconds: float, fps: int = 10, width: int = 320) -> Path:
    """A long video: a real clip, scaled down once and then repeated packet by packet.

    Each round begins with a key frame, and there are no B-frames, so the packets can be strung together.
    """
    part = path.with_suffix(".part.mp4")
    frames = _scaled(source, part, fps, width)
    partial = path.with_suffix(".new.mp4")
    with av.open(str(part)) as once, av.open(str(partial), "w") as container:
        stream = once.streams.video[0]
        timed = [(packet, packet.pts) for packet in once.demux(stream) if packet.pts is not None]
        packets = [packet for packet, _ in timed]
        first, step = timed[0][1], timed[1][1] - timed[0][1]
        assert all(b - a == step for (_, a), (_, b) in pairwise(timed)), "the frames must be evenly spaced"
        out = container.add_stream_from_template(stream)
        for number in range(int(seconds * fps)):
            packet, shift = packets[number % frames], (number // frames) * frames * step
            copy = av.Packet(bytes(packet))
            copy.stream, copy.time_base = out, packet.time_base
            copy.pts = copy.dts = first + (number % frames) * step + shift
            copy.duration, copy.is_keyframe = step, packet.is_keyframe
            container.mux(copy)
    part.unlink()
    partial.replace(path)
    return path


def _scaled(source: Path, path: Path, fps: int, width: int) -> int:
    """Writes the source at this rate and width; answers how many frames."""
    written = 0
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        video = given.streams.video[0]
        height = round(width * video.height / video.width / 2) * 2
        options = {"preset": "veryfast", "tune": "zerolatency", "bf": "0"}
        out = container.add_stream("libx264", rate=Fraction(fps), options=options)
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        for frame in given.decode(video):
            if frame.time is None or frame.time < written / fps:
                continue
            small = frame.reformat(width, height, format="yuv420p")
            small.pts, small.time_base = written, Fraction(1, fps)
            container.mux(out.encode(small))
            written += 1
        container.mux(out.encode())
    return written


def _free_box(body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, b"free") + body
