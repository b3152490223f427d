"""Known by the first bytes; opened and decoded by listed code only."""

from __future__ import annotations

import pytest

from frameloom.common.media.formats import (
    AUDIO_CODECS,
    DECODERS_OF_OTHER_NAMES,
    DEMUXERS,
    VIDEO_CODECS,
    codec_whitelist,
    format_whitelist,
)
from frameloom.common.media.sniffing import sniff

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
        (b"ID3\x04\0\0\0\0\x1f\x76", "audio/mpeg"),
        (b"ID3\x04\0\0\xff\xff\xff\xff", None),
        (b"ID3 is a kind of tag, and this is a text.", None),
        (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
        (b"%PDFftypisom" + b"\0" * 20, None),
        (b"<!--ftyp" + b"-" * 40, None),
        (b"\0\0\0\x07mdat", None),
        (b"\0\0\0\x20ftypheic" + b"\0" * 20, None),
        (b"\0\0\0\x20ftypavif" + b"\0" * 20, None),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x85other", None),
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


def test_every_type_that_is_known_has_a_demuxer() -> None:
    assert set(DEMUXERS.values()) == set(format_whitelist().split(","))
    for head in (b"RIFF\0\0\0\0AVI LIST", b"fLaC\0\0\0\x22", MP3_FRAME, TS * 4):
        assert sniff(head) in DEMUXERS


def test_nothing_that_names_other_files_is_among_them() -> None:
    names = set(format_whitelist().split(","))
    assert not names & {"hls", "dash", "concat", "concatf", "sdp", "rtsp", "image2", "imf", "asx", "webvtt"}


def test_the_decoders_are_those_of_the_codecs() -> None:
    codecs = VIDEO_CODECS | AUDIO_CODECS
    assert set(DECODERS_OF_OTHER_NAMES) <= codecs
    assert codecs <= set(codec_whitelist().split(","))
    assert "libdav1d" in codec_whitelist().split(",")
