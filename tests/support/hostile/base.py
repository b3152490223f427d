"""What a case is, and the pieces that cases are made of."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av


@dataclass(frozen=True, slots=True)
class Case:
    """A file, and what it must be answered with.

    Attributes:
        name: Of the test.
        make: Its bytes.
        status: 201 for those that are harmless.
        code: Of the error.
        told: Must stand in the message.
        pipelines: What it is sent for.
        filename: Under which name.
        kept: What is left of the name, where it is accepted.
    """

    name: str
    make: Callable[[], bytes]
    status: int
    code: str = ""
    told: str = ""
    pipelines: str = "scene_detection"
    filename: str = "holiday.mp4"
    kept: str | None = None


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def ftyp(brand: bytes = b"isom") -> bytes:
    """The first box of an MP4."""
    return box(b"ftyp", brand, bytes(4), brand)


def element(kind: int, *parts: bytes, size: int | None = None) -> bytes:
    """An element of a Matroska file; ``size`` is a lie."""
    body = b"".join(parts)
    length = len(body) if size is None else size
    return kind.to_bytes((kind.bit_length() + 7) // 8) + (0x0100_0000_0000_0000 | length).to_bytes(8) + body


def matroska(*parts: bytes) -> bytes:
    """A Matroska file of these parts of its segment."""
    return element(0x1A45DFA3, element(0x4282, b"matroska")) + element(0x18538067, *parts)


def riff(kind: bytes, *parts: bytes) -> bytes:
    """A RIFF file."""
    body = b"".join(parts)
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, kind) + body


def chunk(kind: bytes, *parts: bytes) -> bytes:
    """A chunk of one."""
    body = b"".join(parts)
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


@cache
def video(
    container: str = "mp4",
    codec: str = "mpeg4",
    *,
    frames: int = 25,
    rate: int = 25,
    size: tuple[int, int] = (64, 48),
    pixels: str = "yuv420p",
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A video that is in order."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=dict(options)) as made:
        stream: Any = made.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for _ in range(frames):
            frame = av.VideoFrame(*size, pixels)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return file.getvalue()


@cache
def sound(container: str = "wav", codec: str = "pcm_s16le", *, streams: int = 1) -> bytes:
    """Half a second of silence."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        added: list[Any] = [made.add_stream(codec, rate=16000, layout="mono") for _ in range(streams)]
        for stream in added:
            for number in range(8):
                frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
                frame.sample_rate, frame.pts = 16000, number * 1024
                made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
    return file.getvalue()


def png(width: int = 1, height: int = 1) -> bytes:
    """A picture."""

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress((b"\0" + bytes(3 * width)) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


def patched(body: bytes, kind: bytes, offset: int, value: bytes) -> bytes:
    """The file with a value set so many bytes behind the name of its first box of this kind."""
    at = body.index(kind) + len(kind) + offset
    return body[:at] + value + body[at + len(value) :]


def noise(size: int) -> bytes:
    """Bytes without sense, the same each time."""
    state, parts = b"seed", []
    while sum(map(len, parts)) < size:
        state = zlib.crc32(state).to_bytes(4) + state[:60]
        parts.append(state)
    return b"".join(parts)[:size]
