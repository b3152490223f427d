"""Boxes, landmarks and captions onto a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from frameloom.client.drawing.findings import Box, Cue
from frameloom.client.drawing.palette import INK, TEXT, Colour, Fonts, colour_of, shortened, wrapped

_Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Painter:
    """Paints onto pictures of one size.

    Attributes:
        scale: From pixels of the video to those of the picture, across and down.
        fonts: The typeface.
        unit: Width of a line, in pixels.
        text: Size of the names of boxes, in pixels.
    """

    scale: tuple[float, float]
    fonts: Fonts
    unit: int
    text: int

    @classmethod
    def of(cls, size: tuple[int, int], scale: tuple[float, float], fonts: Fonts) -> Painter:
        """One whose lines and letters suit the size of the picture."""
        shorter = min(size)
        return cls(scale, fonts, max(2, round(shorter / 300)), max(11, round(shorter / 36)))

    def boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> None:
        """Boxes with their names; a name goes where none is yet, if there is such a place."""
        draw = ImageDraw.Draw(picture)
        for box in boxes:
            self._box(draw, box)
        taken: list[_Area] = []
        for box in reversed(boxes):  # faces first: their names are the longer ones
            self._name(draw, box, picture.size, taken)

    def captions(self, picture: Image.Image, cues: Sequence[Cue]) -> None:
        """What is said, at the bottom; the latest cue is the lowest."""
        width, height = picture.size
        size = max(12, round(min(height / 20, width / 26)))
        font = self.fonts.size(size)
        bottom = height - size * 0.6
        for cue in sorted(cues, reverse=True)[:3]:
            prefix = f"{cue.speaker}: " if cue.speaker else ""
            lines = wrapped(prefix + cue.text, font, width * 0.86, 3)
            colour = colour_of(cue.speaker) if cue.speaker else TEXT
            bottom = self._caption(picture, lines, prefix, colour, size, bottom)

    def _caption(
        self, picture: Image.Image, lines: list[str], prefix: str, colour: Colour, size: int, bottom: float
    ) -> float:
        """One cue, its lower edge at ``bottom``; answers where the next one may end."""
        font, step, pad = self.fonts.size(size), size * 1.25, size * 0.45
        wide = max(font.getlength(line) for line in lines)
        left, top = (picture.width - wide) / 2 - pad, bottom - len(lines) * step - pad
        area = tuple(round(value) for value in (left, top, left + wide + 2 * pad, bottom))
        _darken(picture, area, round(size * 0.3))  # type: ignore[arg-type]
        draw = ImageDraw.Draw(picture)
        for number, line in enumerate(lines):
            x, y = (picture.width - font.getlength(line)) / 2, top + pad * 0.55 + number * step
            if number == 0 and prefix and line.startswith(prefix):
                draw.text((x, y), prefix, fill=colour, font=font)
                x, line = x + font.getlength(prefix), line.removeprefix(prefix)  # noqa: PLW2901
            draw.text((x, y), line, fill=TEXT, font=font)
        return top - size * 0.3

    def area(self, box: Box) -> _Area:
        """Where a box is in the picture: left, top, right, bottom."""
        across, down = self.scale
        return (
            box.left * across,
            box.top * down,
            (box.left + box.width) * across,
            (box.top + box.height) * down,
        )

    def _box(self, draw: ImageDraw.ImageDraw, box: Box) -> None:
        left, top, right, bottom = self.area(box)
        if right - left < 1 or bottom - top < 1:
            return
        colour = colour_of(box.key)
        line = self.unit if box.kind in {"face", "text"} else round(self.unit * 1.5)
        radius = min(right - left, bottom - top) * (0.08 if box.kind == "face" else 0.02)
        edge = (left - 1, top - 1, right + 1, bottom + 1)
        draw.rounded_rectangle(edge, radius, outline=INK, width=line + 2)
        draw.rounded_rectangle((left, top, right, bottom), radius, outline=colour, width=line)
        dot = max(1.0, (right - left) / 60, self.unit * 0.7)
        if len(box.points) > 20:
            dot = max(1.0, (right - left) / 110)
        for x, y in box.points:
            at, down = x * self.scale[0], y * self.scale[1]
            draw.ellipse((at - dot, down - dot, at + dot, down + dot), fill=colour)

    def _name(self, draw: ImageDraw.ImageDraw, box: Box, size: tuple[int, int], taken: list[_Area]) -> None:
        text = f"{box.name} · {box.note}" if box.name and box.note else box.name or box.note
        font = self.fonts.size(self.text)
        text = shortened(text, font, size[0] * 0.5)
        if not text:
            return
        pad = max(2, self.text // 5)
        width, height = font.getlength(text) + 2 * pad, self.text + 2 * pad
        left, top, _, bottom = self.area(box)
        x = min(max(0.0, left), size[0] - width)
        places = [top - height, bottom, top, bottom - height]
        rows = [y for y in places if 0 <= y <= size[1] - height] or [min(max(0.0, top), size[1] - height)]
        free = [y for y in rows if not any(_meet((x, y, x + width, y + height), one) for one in taken)]
        y = (free or rows)[0]
        taken.append((x, y, x + width, y + height))
        draw.rounded_rectangle((x, y, x + width, y + height), pad, fill=colour_of(box.key))
        draw.text((x + pad, y + height / 2), text, fill=INK, font=font, anchor="lm")


def _meet(one: _Area, other: _Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _darken(picture: Image.Image, area: tuple[int, int, int, int], radius: int) -> None:
    """A dark, half transparent plate."""
    left, top = max(0, area[0]), max(0, area[1])
    right, bottom = min(picture.width, area[2]), min(picture.height, area[3])
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, right - left - 1, bottom - top - 1), radius, fill=175)
    picture.paste((8, 9, 12), (left, top), mask)
