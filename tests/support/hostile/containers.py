"""The other containers: noise behind good first bytes, lying sizes, too much of everything."""

from __future__ import annotations

import io
import struct
import zlib

import av

from support.hostile.base import Case, chunk, element, matroska, noise, patched, riff, sound, video

DAMAGED = "MEDIA_DAMAGED"
LIMIT = "MEDIA_LIMIT_EXCEEDED"
NONE = "NO_MEDIA_STREAM"


def _track(number: int, kind: int, codec: bytes, *more: bytes) -> bytes:
    return element(
        0xAE, element(0xD7, bytes([number])), element(0x83, bytes([kind])), element(0x86, codec), *more
    )


def _subtitles_alone() -> bytes:
    tracks = element(0x1654AE6B, _track(1, 0x11, b"S_TEXT/UTF8"))
    return matroska(tracks, element(0x1F43B675, element(0xE7, b"\0")))


def _attachments(count: int, size: int) -> bytes:
    files = [
        element(0x61A7, element(0x466E, b"a.ttf"), element(0x4660, b"font/ttf"), element(0x465C, bytes(size)))
        for _ in range(count)
    ]
    return matroska(element(0x1941A469, *files), element(0x1F43B675, element(0xE7, b"\0")))


def _zipped_track() -> bytes:
    """A block that unpacks into a hundred megabytes."""
    zipped = element(0x6D80, element(0x6240, element(0x5034, element(0x4254, b"\0"))))
    picture = element(0xE0, element(0xB0, b"\x40"), element(0xBA, b"\x30"))
    tracks = element(0x1654AE6B, _track(1, 1, b"V_MPEG4/ISO/ASP", zipped, picture))
    block = element(0xA3, b"\x81\0\0\x80" + zlib.compress(bytes(100_000_000), 9))
    return matroska(tracks, element(0x1F43B675, element(0xE7, b"\0"), block))


def _nested_tags() -> bytes:
    body = b""
    for _ in range(2000):
        body = element(0x67C8, body)
    return matroska(element(0x1254C367, element(0x7373, body)))


def _large_jpeg() -> bytes:
    """The container says 64 x 48, the picture itself 65500 x 65500."""
    body = video("avi", "mjpeg", pixels="yuvj420p", frames=1)
    at = body.index(b"\xff\xc0") + 5
    return body[:at] + struct.pack(">HH", 65500, 65500) + body[at + 4 :]


def _large_raw() -> bytes:
    """Pictures without compression: their size is what the container says."""
    body = video("avi", "rawvideo", frames=2)
    return patched(body, b"strf", 8, struct.pack("<II", 15_000, 15_000))


def _lying_avi() -> bytes:
    """An index, and lists, of four gigabytes."""
    return video("avi") + b"idx1\xff\xff\xff\xff" + noise(4000)


def _avi_of_lists() -> bytes:
    return riff(b"AVI ", *[chunk(b"LIST", b"hdrl") for _ in range(100_000)])


def _transport_noise() -> bytes:
    body = noise(187 * 500)
    return b"".join(b"G" + body[i * 187 : (i + 1) * 187] for i in range(500))


def _flv(*tags: bytes) -> bytes:
    return b"FLV\x01\x05\0\0\0\x09\0\0\0\0" + b"".join(tags)


def _flv_loop() -> bytes:
    """Tags of no size, each as long as itself."""
    return _flv(*[b"\x09" + bytes(10) + struct.pack(">I", 11) for _ in range(20_000)])


def _ogg_chain(count: int) -> bytes:
    """So many streams, each of one page."""

    def page(serial: int) -> bytes:
        head = struct.pack("<4sBBqIII", b"OggS", 0, 2, 0, serial, 0, 0) + b"\x01\x1e"
        return head + b"\x01vorbis" + struct.pack("<IBIIIIBB", 0, 1, 44100, 0, 0, 0, 0xB8, 1)

    return b"".join(page(serial) for serial in range(count))


def _many_channels() -> bytes:
    form = struct.pack("<HHIIHH", 1, 65535, 2**32 - 1, 2**32 - 1, 65535, 64)
    return riff(b"WAVE", chunk(b"fmt ", form), chunk(b"data", bytes(1000)))


def _giant_tag() -> bytes:
    """A tag of 256 MB, in a file of ten bytes more than its head."""
    return b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + noise(900)


def _unread_codec() -> bytes:
    return video("avi", "asv1", pixels="yuv420p", frames=5)


def _unread_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as made:
        stream = made.add_stream("adpcm_yamaha", rate=16000, layout="mono")
        for number in range(8):
            frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = 16000, number * 1024
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return file.getvalue()


CONTAINERS: tuple[Case, ...] = (
    Case("mkv of noise", lambda: matroska(noise(9000)), 400, DAMAGED),
    Case("mkv of endless emptiness", lambda: matroska(element(0xEC, noise(9), size=2**55)), 400, DAMAGED),
    Case("mkv with subtitles alone", _subtitles_alone, 415, NONE, "subtitle"),
    Case("mkv with forty attachments", lambda: _attachments(40, 10), 400, LIMIT, "streams"),
    Case("mkv with large attachments alone", lambda: _attachments(9, 300_000), 415, NONE, "attachment"),
    Case("mkv that unpacks into much", _zipped_track, 400, DAMAGED),
    Case("mkv of tags in each other", _nested_tags, 400, DAMAGED),
    Case("mkv of forty sounds", lambda: sound("matroska", streams=40), 400, LIMIT, "streams"),
    Case("webm cut in its head", lambda: video("webm", "libvpx")[:300], 400, DAMAGED),
    Case(
        "other file of this structure",
        lambda: element(0x1A45DFA3, element(0x4282, b"other")),
        415,
        "UNSUPPORTED_MEDIA",
    ),
    Case("avi of noise", lambda: riff(b"AVI ", noise(9000)), 400, DAMAGED),
    Case("avi of a hundred thousand lists", _avi_of_lists, 400, DAMAGED),
    Case("avi with an index of four gigabytes", _lying_avi, 201),
    Case("avi with a codec nobody reads", _unread_codec, 415, "UNSUPPORTED_CODEC", "asv1"),
    Case("picture of 15000 by 15000", _large_raw, 400, LIMIT, "15000"),
    Case("ogg of five thousand streams in a chain", lambda: _ogg_chain(5000), 400, DAMAGED),
    Case("jpeg of 65500 by 65500 in an avi", _large_jpeg, 400, DAMAGED),
    Case("transport stream of noise", _transport_noise, 400, DAMAGED),
    Case("transport stream of nothing", lambda: (b"G\x1f\xff\x10" + bytes(184)) * 5000, 400, DAMAGED),
    Case("program stream of noise", lambda: b"\0\0\1\xba" + noise(90_000), 400, DAMAGED),
    Case("flv of noise", lambda: _flv(noise(9000)), 400, DAMAGED),
    Case("flv in a circle", _flv_loop, 400, DAMAGED),
    Case("ogg of forty sounds", lambda: sound("ogg", "flac", streams=40), 400, LIMIT, "streams"),
    Case("ogg of noise", lambda: b"OggS\0\x02" + noise(9000), 400, DAMAGED),
    Case(
        "wav of four gigabytes",
        lambda: patched(sound(), b"data", 0, b"\xff\xff\xff\xff"),
        400,
        "MEDIA_NOT_USABLE",
    ),
    Case("wav of 65535 channels", _many_channels, 400, DAMAGED),
    Case("wav with a codec nobody reads", _unread_sound, 415, "UNSUPPORTED_CODEC", "adpcm_yamaha"),
    Case("wav without sound", lambda: riff(b"WAVE", chunk(b"data", bytes(9))), 400, DAMAGED),
    Case("mp3 behind a tag of 256 MB", _giant_tag, 400, DAMAGED),
    Case("flac of noise", lambda: b"fLaC\0\0\0\x22" + noise(9000), 400, DAMAGED),
    Case("mp3 of noise", lambda: b"\xff\xfb\x90\x64" + noise(9000), 400, DAMAGED),
)
