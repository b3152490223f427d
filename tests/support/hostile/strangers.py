"""Files that are no media at all, whatever their names say."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

from support.hostile.base import Case, box, ftyp, noise, png, video

UNSUPPORTED = "UNSUPPORTED_MEDIA"
IMAGE = "STILL_IMAGE"
INDIRECT = "INDIRECT_MEDIA"
SECRET = "file:///etc/passwd"


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("movie.mp4", bytes(50_000_000))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("../../movie.mp4")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


def _text(text: str) -> bytes:
    return text.encode()


def _lol() -> str:
    entities = "".join(f'<!ENTITY l{n} "{"".join(f"&l{n - 1};" for _ in range(10))}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY l0 "lol">{entities}]><MPD>&l9;</MPD>'


STRANGERS: tuple[Case, ...] = (
    Case("empty", lambda: b"", 400, "INVALID_REQUEST", "empty"),
    Case("one byte", lambda: b"\0", 415, UNSUPPORTED, "no video or audio"),
    Case("text", lambda: b"Dear diary,\n" * 400, 415, UNSUPPORTED, "no video or audio"),
    Case("web page", lambda: b"<!DOCTYPE html><script>alert(1)</script>" * 99, 415, UNSUPPORTED),
    Case("pdf", lambda: b"%PDF-1.7\n" + noise(4000), 415, UNSUPPORTED, "PDF"),
    Case("pdf with the first box of an mp4", lambda: b"%PDF" + ftyp()[4:] + noise(900), 415, UNSUPPORTED),
    Case("zip bomb", _zip_bomb, 415, UNSUPPORTED, "ZIP"),
    Case("tar with a way out", _tar, 415, UNSUPPORTED),
    Case("gzipped video", lambda: gzip.compress(video()), 415, UNSUPPORTED, "gzip"),
    Case("program", lambda: b"\x7fELF\x02\x01\x01" + noise(4000), 415, UNSUPPORTED, "program"),
    Case("windows program", lambda: b"MZ\x90\0" + noise(4000), 415, UNSUPPORTED, "program"),
    Case("script", lambda: b"#!/bin/sh\nrm -rf /\n", 415, UNSUPPORTED, "script"),
    Case(
        "windows media", lambda: bytes.fromhex("3026b2758e66cf11") + noise(900), 415, UNSUPPORTED, "Windows"
    ),
    Case("real media", lambda: b".RMF\0\0\0\x12" + noise(900), 415, UNSUPPORTED, "RealMedia"),
    Case("subtitles", lambda: b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", 415, UNSUPPORTED),
    Case(
        "web subtitles", lambda: b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", 415, UNSUPPORTED, "subtitles"
    ),
    Case("raw noise", lambda: b"\x01\x02" + noise(100_000), 415, UNSUPPORTED),
    Case("png", png, 415, IMAGE, "PNG"),
    Case("png bomb", lambda: png(20_000, 2_000), 415, IMAGE, "PNG"),
    Case("jpeg", lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + noise(900), 415, IMAGE, "JPEG"),
    Case("gif", lambda: b"GIF89a\1\0\1\0" + noise(900), 415, IMAGE, "GIF"),
    Case("webp", lambda: b"RIFF\x24\0\0\0WEBPVP8 " + noise(900), 415, IMAGE, "WebP"),
    Case("svg", lambda: b'<?xml version="1.0"?><svg onload="alert(1)"/>', 415, IMAGE, "SVG"),
    Case("heic", lambda: ftyp(b"heic") + box(b"meta", noise(900)), 415, IMAGE, "HEIC"),
    Case("avif", lambda: ftyp(b"avif") + box(b"meta", noise(900)), 415, IMAGE, "AVIF"),
    Case("m3u8", lambda: _text(f"#EXTM3U\n#EXTINF:9,\n{SECRET}\n"), 415, INDIRECT, "M3U"),
    Case(
        "m3u8 with a mark",
        lambda: b"\xef\xbb\xbf\n#EXTM3U\n#EXT-X-KEY:URI=http://169.254.169.254/",
        415,
        INDIRECT,
    ),
    Case(
        "mpd",
        lambda: _text(f'<?xml version="1.0"?>\n<MPD><BaseURL>{SECRET}</BaseURL>'),
        415,
        INDIRECT,
        "DASH",
    ),
    Case("mpd with a billion laughs", lambda: _text(_lol()), 415, INDIRECT, "DASH"),
    Case("ffconcat", lambda: _text(f"ffconcat version 1.0\nfile '{SECRET}'\n"), 415, INDIRECT, "FFmpeg"),
    Case(
        "sdp", lambda: b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", 415, INDIRECT, "SDP"
    ),
    Case("asx", lambda: _text(f'<ASX version="3"><Entry><Ref href="{SECRET}"/>'), 415, INDIRECT, "ASX"),
    Case("smil", lambda: _text(f'<smil><body><video src="{SECRET}"/></body></smil>'), 415, INDIRECT, "SMIL"),
    Case("pls", lambda: _text(f"[playlist]\nFile1={SECRET}\n"), 415, INDIRECT, "PLS"),
    Case("xspf", lambda: _text(f"<?xml version='1.0'?><playlist><location>{SECRET}"), 415, INDIRECT, "XSPF"),
    Case("quicktime link", lambda: b"RTSPtextrtsp://127.0.0.1/x", 415, INDIRECT),
    Case("address", lambda: b"http://169.254.169.254/latest/meta-data/", 415, INDIRECT, "address"),
)
