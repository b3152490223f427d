"""Sniffing and file names."""

from __future__ import annotations

import pytest

from frameloom.gateway.services.media import clean_filename, sniff

TS = b"G" + b"\xff" * 187
MP3_FRAME = bytes([0xFF, 0xFB, 0x90, 0x64]) + b"\0" * 400


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom" + b"\0" * 20, "video/mp4"),
        (b"\0\0\0\x20ftypqt  " + b"\0" * 20, "video/quicktime"),
        (b"\0\0\0\x20ftypM4A " + b"\0" * 20, "audio/mp4"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        (b"\0\0\x10\0moov\0\0\0\x6cmvhd", "video/quicktime"),
        (b"\0\0\x10\0mdat", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x23B\x82\x88matroska", "video/x-matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (TS * 4, "video/mp2t"),
        (b"".join(b"\0\0\0\0" + TS for _ in range(4)), "video/mp2t"),
        (TS + b"x" * 400, None),
        (b"\0\0\x01\xba!\0\x01", "video/mpeg"),
        (b"FLV\x01\x05\0\0\0\x09", "video/x-flv"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (b"OggS\0\x02", "application/ogg"),
        (b"ID3\x04\0\0", "audio/mpeg"),
        (MP3_FRAME, "audio/mpeg"),
        (b"\xff\xfe" + "text".encode("utf-16-le") * 50, None),
        (b"\xff\xff\xff\xff" * 100, None),
        (b"This is a text file, whatever its name says.\n" * 20, None),
        (b"GGGGG", None),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", None),
        (b"<html></html>", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_kind(head: bytes, kind: str | None) -> None:
    assert sniff(head) == kind


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../../x.mp4", "x.mp4"),
        ("..\\..\\x.mp4", "x.mp4"),
        ("C:\\Users\\me\\my clip.mp4", "my clip.mp4"),
        ("/etc/passwd", "passwd"),
        ("..%2F..%2Fx.mp4", "x.mp4"),
        ("sp%C3%A4t.mp4", "spät.mp4"),
        ("100%ff.mp4", "100%ff.mp4"),
        ("späte Aufnahme 日本.mp4", "späte Aufnahme 日本.mp4"),
        ("a\0b\nc\u202ed.mp4", "abcd.mp4"),
        ("..", "video"),
        ("dir/", "video"),
        ("", "video"),
        (None, "video"),
        ("x" * 400 + ".mp4", "x" * 251 + ".mp4"),
        ("x" * 400, "x" * 255),
    ],
)
def test_of_a_file_name_only_a_name_is_left(given: str | None, kept: str) -> None:
    assert clean_filename(given) == kept
