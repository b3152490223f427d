"""What a file is that is no media file, as far as its first bytes tell: for an answer that helps. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.errors import FrameloomError
from frameloom.common.text import cut
from frameloom.gateway.errors import IndirectMediaError, StillImageError, UnsupportedMediaError

READ_HERE = "Send MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WAV, MP3, FLAC or Ogg."
_TEXT_BYTES = 2048
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"8BPS": "Photoshop",
}
_BRANDS = {b"hei": "HEIC", b"hev": "HEIC", b"mif": "HEIF", b"msf": "HEIF", b"avi": "AVIF"}
_OTHERS = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive, or a document made of one",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "compressed with gzip",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\0": "compressed with xz",
    b"(\xb5/\xfd": "compressed with zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"#!": "a script",
    b"{\\rtf": "a document",
    b"SQLite format 3\0": "a database",
    b"0&\xb2u\x8ef\xcf\x11": "Windows Media (WMV, WMA)",
    b".RMF": "RealMedia",
    b"WEBVTT": "subtitles",
}
_PLAYLISTS = {
    "#extm3u": "an M3U playlist",
    "ffconcat": "a list of files for FFmpeg",
    "v=0": "a session description (SDP)",
    "[playlist]": "a PLS playlist",
    "<asx": "an ASX playlist",
    "<smil": "a SMIL presentation",
    "<mpd": "a DASH manifest",
    "<playlist": "an XSPF playlist",
    "<smoothstreamingmedia": "a Smooth Streaming manifest",
    "rtsptext": "a QuickTime link",
    "[reference]": "a list of addresses",
    "file:": "an address",
    "http://": "an address",
    "https://": "an address",
    "rtsp://": "an address",
}


@dataclass(frozen=True, slots=True)
class _Sentence:
    kind: type[FrameloomError]
    what: str
    hint: str


def stranger(head: bytes, filename: str) -> FrameloomError:
    """The refusal of a file that :func:`frameloom.common.media.sniffing.sniff` does not know."""
    told = _image(head) or _playlist(head) or _other(head)
    detail = {"filename": filename}
    return told.kind(f"The file {cut(filename)} is {told.what}", hint=told.hint, detail=detail)


def _image(head: bytes) -> _Sentence | None:
    name = next((name for prefix, name in _IMAGES.items() if head.startswith(prefix)), None)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        name = "WebP"
    elif head[4:8] == b"ftyp":
        name = _BRANDS.get(head[8:11])
    elif b"<svg" in head[:_TEXT_BYTES].lower():
        name = "SVG"
    if name is None:
        return None
    return _Sentence(
        StillImageError,
        f"a picture ({name}), not a video",
        "Make a video of your pictures first, such as an MP4.",
    )


def _playlist(head: bytes) -> _Sentence | None:
    text = _text(head)
    for mark, what in _PLAYLISTS.items():
        # In XML the element stands behind a declaration and comments.
        if text.startswith(mark) or (mark.startswith("<") and mark in text):
            return _Sentence(
                IndirectMediaError,
                f"{what}: it names other files instead of holding video or sound",
                "Send the media file itself. Addresses in files are never followed.",
            )
    return None


def _other(head: bytes) -> _Sentence:
    what = next((what for prefix, what in _OTHERS.items() if head.startswith(prefix)), None)
    said = "no video or audio file that can be read here"
    return _Sentence(UnsupportedMediaError, said if what is None else f"{said}, but {what}", READ_HERE)


def _text(head: bytes) -> str:
    """The beginning as lower-case text, without a byte order mark and white space."""
    start = head[:_TEXT_BYTES]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start.decode("utf-16", "replace").lower().strip()
    return start.decode("utf-8-sig", "replace").lower().strip()
