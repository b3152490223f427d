"""MP4 and MOV files: cut, contradictory, out of proportion, or pointing elsewhere."""

from __future__ import annotations

import struct
import zlib

from support.hostile.base import Case, box, ftyp, noise, patched, png, sound, video

DAMAGED = "MEDIA_DAMAGED"
INDIRECT = "INDIRECT_MEDIA"
LIMIT = "MEDIA_LIMIT_EXCEEDED"
_FULL = bytes(4)


def _moov(*parts: bytes) -> bytes:
    return ftyp(b"qt  ") + box(b"moov", *parts)


def _index(body: bytes) -> int:
    """Where the index begins."""
    return body.index(b"moov") - 4


def _reference(kind: bytes, address: bytes) -> bytes:
    """A track whose samples lie elsewhere."""
    entry = box(kind, _FULL, address)
    places = box(b"dinf", box(b"dref", _FULL, struct.pack(">I", 1), entry))
    return _moov(box(b"trak", box(b"mdia", box(b"minf", places))))


def _reference_movie() -> bytes:
    address = b"http://169.254.169.254/movie.mov\0"
    pointer = box(b"rdrf", _FULL, b"url ", struct.pack(">I", len(address)), address)
    return _moov(box(b"rmra", box(b"rmda", pointer)))


def _zipped_index() -> bytes:
    """A megabyte of zeros that says it is a gigabyte."""
    packed = struct.pack(">I", 2**30) + zlib.compress(bytes(1_000_000))
    return _moov(box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", packed)))


def _nested(kind: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(kind, body)
    return _moov(body)


def _table(kind: bytes, count: int, head: bytes = b"") -> bytes:
    """A track with a table that says more than it holds."""
    table = box(kind, _FULL, head, struct.pack(">I", count))
    return _moov(box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))


def _lying_size() -> bytes:
    """Width and height of the sample entry; the pictures themselves are small."""
    return patched(video(), b"mp4v", 24, struct.pack(">HH", 60_000, 60_000))


def _long() -> bytes:
    """Ten years by the index: movie, track, edit list and media header."""
    seconds = 315_360_000
    body = patched(video(), b"mvhd", 12, struct.pack(">II", 1, seconds))
    body = patched(body, b"elst", 8, struct.pack(">I", seconds))
    body = patched(body, b"mdhd", 12, struct.pack(">II", 1, seconds))
    return patched(body, b"stts", 12, struct.pack(">I", seconds // 25))


def _no_samples() -> bytes:
    body = video()
    start, end = body.index(b"mdat") + 4, _index(body)
    return body[:start] + bytes(end - start) + body[end:]


def _sound_with_cover() -> bytes:
    """Music whose cover is its only picture."""
    cover = b"\0\0" + b"APIC" + b"\0image/png\0\x03\0" + png()
    frame = b"APIC" + struct.pack(">I", len(cover) - 6) + b"\0\0" + cover[6:]
    size = len(frame)
    length = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + frame + sound("mp3", "mp3")


MOVIES: tuple[Case, ...] = (
    Case("cut before the index", lambda: video()[: _index(video())], 400, DAMAGED, "cut off"),
    Case("cut in the index", lambda: video()[: _index(video()) + 200], 400, DAMAGED, "cut off"),
    Case("cut in half", lambda: video(frames=99)[: len(video(frames=99)) // 2], 400, DAMAGED, "cut off"),
    Case("first box alone", ftyp, 400, DAMAGED, "cut off"),
    Case("noise behind the first box", lambda: ftyp() + noise(9000), 400, DAMAGED),
    Case("box of no size for ever", lambda: ftyp() + b"\0\0\0\1free" + bytes(9000), 400, DAMAGED),
    Case("boxes of eight bytes for ever", lambda: ftyp() + box(b"free") * 50_000, 400, DAMAGED),
    Case("index of four gigabytes", lambda: ftyp() + b"\xff\xff\xff\xffmoov" + noise(900), 400, DAMAGED),
    Case("index of nothing", _moov, 400, DAMAGED),
    Case("only headers, no samples", _no_samples, 400, DAMAGED, "not one frame"),
    Case("reference movie", _reference_movie, 415, INDIRECT, "reference movie"),
    Case(
        "samples at an address", lambda: _reference(b"url ", b"http://[::1]/"), 415, INDIRECT, "another file"
    ),
    Case("samples in another file", lambda: _reference(b"alis", b"../secret"), 415, INDIRECT, "another file"),
    Case("zipped index", _zipped_index, 400, DAMAGED, "cmov"),
    Case(
        "ten thousand boxes in each other", lambda: _nested(b"trak", 10_000), 400, DAMAGED, "beyond measure"
    ),
    Case("thirty thousand boxes in a row", lambda: _moov(box(b"free") * 30_000), 400, DAMAGED, "boxes"),
    Case("times of four billion samples", lambda: _table(b"stts", 2**32 - 1), 400, DAMAGED, "stts"),
    Case("places of four billion samples", lambda: _table(b"stco", 2**32 - 1), 400, DAMAGED, "stco"),
    Case("offsets of two billion samples", lambda: _table(b"ctts", 2**31), 400, DAMAGED, "ctts"),
    Case("sizes of four billion samples", lambda: _table(b"stsz", 2**32 - 1, bytes(4)), 400, DAMAGED, "stsz"),
    Case(
        "four billion samples of one size",
        lambda: _table(b"stsz", 2**32 - 1, b"\0\0\0\1"),
        400,
        DAMAGED,
        "samples",
    ),
    Case("ten years", _long, 400, LIMIT, "long"),
    Case("five thousand frames a second", lambda: video(rate=5000, frames=50), 400, LIMIT, "frames a second"),
    Case("sound alone for a pipeline of pictures", sound, 400, "MEDIA_NOT_USABLE", "only sound"),
    Case("sound with a cover", _sound_with_cover, 400, "MEDIA_NOT_USABLE", "only sound"),
    Case("one frame", lambda: video(frames=1), 201),
    Case("small pictures that say they are large", _lying_size, 201),
    Case("one frame of no time", lambda: patched(video(frames=1), b"mvhd", 16, bytes(4)), 201),
    Case("mp4 that is a zip too", lambda: video() + b"PK\x05\x06" + bytes(18), 201),
    Case(
        "mp4 with a web page in it",
        lambda: ftyp() + box(b"free", b"<script>alert(1)</script>") + video(),
        201,
    ),
    Case("name with a way out", video, 201, filename="../../../etc/cron.d/x.mp4", kept="x.mp4"),
    Case("name of another system", video, 201, filename="C:\\Windows\\x.mp4", kept="x.mp4"),
    Case("name that reads backwards", video, 201, filename="\u202egpj.4pm.mp4", kept="gpj.4pm.mp4"),
    Case("name with a null", video, 201, filename="a%00.mp4.exe", kept="a.mp4.exe"),
    Case("name of four thousand letters", video, 201, filename="x" * 4000 + ".mp4", kept="x" * 251 + ".mp4"),
)
