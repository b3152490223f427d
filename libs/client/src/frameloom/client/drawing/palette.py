"""Colours and type: bright on dark, the same for the same thing in every picture."""

from __future__ import annotations

import re
import zlib
from functools import cache
from pathlib import Path

from PIL import ImageFont

from frameloom.client.errors import UsageError

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont

BACKGROUND: Colour = (22, 24, 29)
RAISED: Colour = (38, 41, 49)
TEXT: Colour = (236, 238, 242)
DIM: Colour = (150, 156, 168)
INK: Colour = (16, 17, 20)
PLAYHEAD: Colour = (255, 255, 255)

_COLOURS: tuple[Colour, ...] = (
    (79, 195, 247), (255, 179, 0), (120, 210, 130), (245, 105, 160), (190, 140, 245), (255, 130, 90),
    (70, 215, 200), (222, 235, 110), (150, 165, 255), (240, 90, 85), (235, 205, 165), (60, 160, 220),
)  # fmt: skip
_FIRST = {"person ": 0, "face ": 7, "SPEAKER_": 2, "scene ": 8, "emotion ": 4}
"""Where the colours of a kind begin, so that persons, faces and speakers of one number differ."""
_NUMBER = re.compile(r"(\d+)\D*$")
_KNOWN = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf")


def colour_of(key: str) -> Colour:
    """The colour of a track, speaker or label: neighbours in a row of numbers are told apart."""
    found = _NUMBER.search(key)
    number = int(found[1][-6:]) if found else 0
    kind = _NUMBER.sub("", key)
    offset = _FIRST[kind] if kind in _FIRST else zlib.crc32(kind.encode())
    return _COLOURS[(offset + number) % len(_COLOURS)]


def dimmed(colour: Colour, share: float = 0.55) -> Colour:
    """A darker one, for what is behind."""
    red, green, blue = (
        round(part * share + back * (1 - share)) for part, back in zip(colour, BACKGROUND, strict=True)
    )
    return red, green, blue


class Fonts:
    """One typeface in any size.

    Args:
        file: A font file, for scripts that the usual ones lack; else the first of those usual on a system
            that is there, else the one inside Pillow.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        if file is not None:
            try:
                ImageFont.truetype(str(file), 12)
            except OSError as error:
                raise UsageError(f"The font {file} can not be read: {error}") from error

    def size(self, pixels: int) -> Font:
        """The typeface in this size."""
        return _font(None if self._file is None else str(self._file), max(8, pixels))


@cache
def _font(file: str | None, pixels: int) -> Font:
    for name in (file,) if file else _KNOWN:
        try:
            return ImageFont.truetype(name, pixels)
        except OSError:
            continue
    found = ImageFont.load_default(pixels)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow comes with FreeType"
    return found


def shortened(text: str, font: Font, width: float) -> str:
    """The text, cut off with an ellipsis where it is wider than that; empty if not even a letter fits."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…" if text else ""


def wrapped(text: str, font: Font, width: float, most: int) -> list[str]:
    """The text in lines no wider than that; at most so many, the last cut off if there is more."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > most:
        rest = " ".join(lines[most - 1 :])
        lines = [*lines[: most - 1], shortened(rest, font, width) if most else ""]
    return [shortened(one, font, width) for one in lines]


def clock(seconds: float, *, tenths: bool = False) -> str:
    """``1:05`` or ``1:05.3``, with hours where there are some."""
    whole = round(seconds, 1)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    shown = f"{left:04.1f}" if tenths else f"{int(left):02d}"
    return f"{int(hours)}:{int(minutes):02d}:{shown}" if hours else f"{int(minutes)}:{shown}"
