"""The strip below the picture: a lane for scenes, speakers, sounds and what else there is over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from frameloom.client.drawing.findings import Curve, Findings, Span
from frameloom.client.drawing.palette import (
    BACKGROUND,
    DIM,
    INK,
    PLAYHEAD,
    RAISED,
    TEXT,
    Colour,
    Font,
    Fonts,
    clock,
    colour_of,
    dimmed,
    shortened,
)

_ORDER = ("scenes", "persons", "speakers", "sounds", "emotions")
_WHO_SPEAKS = "voices"
"""A lane made of captions, where there is none of speakers."""
_MOST_LANES = 7
_MOST_ROWS = 5
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@dataclass(frozen=True, slots=True)
class Strip:
    """The strip, drawn once; a line over it tells the time.

    Attributes:
        picture: All but the line.
        left: Where time 0 is.
        right: Where the end is.
        seconds: The length of the media.
        text: Size of its letters.
        fonts: The typeface.
    """

    picture: Image.Image
    left: int
    right: int
    seconds: float
    text: int
    fonts: Fonts

    def at(self, time: float) -> Image.Image:
        """The strip at a time."""
        shown = self.picture.copy()
        draw = ImageDraw.Draw(shown)
        x = self.left + (self.right - self.left) * min(1.0, max(0.0, time / self.seconds))
        wide = max(1, self.text // 10)
        draw.rectangle((x - wide / 2 - 1, 0, x + wide / 2 + 1, shown.height), fill=INK)
        draw.rectangle((x - wide / 2, 0, x + wide / 2, shown.height), fill=PLAYHEAD)
        font, words = self.fonts.size(self.text), clock(time, tenths=True)
        if self.left > font.getlength(words) + self.text:
            place = (self.text * 0.6, shown.height - self.text * 0.35)
            draw.text(place, words, fill=TEXT, font=font, anchor="ls")
        return shown


def strip(
    findings: Findings, size: tuple[int, int], seconds: float, fonts: Fonts, *, text: int | None = None
) -> Strip | None:
    """The strip for a picture; None if there is nothing to show in it.

    Args:
        findings: What there is.
        size: Of the picture.
        seconds: Length of the media.
        fonts: The typeface.
        text: Size of the letters, in pixels, if it shall not follow from that of the picture.
    """
    lanes = _lanes(findings)
    if not lanes or seconds <= 0:
        return None
    width = size[0]
    text = text or max(10, round(min(width * 0.6, size[1]) / 54))
    gutter = round(max(fonts.size(text).getlength(name) for name, _ in lanes) + text * 1.4)
    if gutter > width * 0.3:
        gutter = round(text * 0.5)
    row = round(text * 1.45)
    heights = [_rows_of(content) * row for _, content in lanes]
    gap = max(2, text // 4)
    axis = round(text * 1.5)
    height = sum(heights) + gap * (len(lanes) + 1) + axis
    picture = Image.new("RGB", (width, height + height % 2), BACKGROUND)
    drawn = Strip(picture, gutter, width - round(text * 0.6), seconds, text, fonts)
    draw, top = ImageDraw.Draw(picture), gap
    for (name, content), high in zip(lanes, heights, strict=True):
        if gutter > text:
            draw.text((text * 0.6, top + high / 2), name, fill=DIM, font=fonts.size(text), anchor="lm")
        draw.rectangle((drawn.left, top, drawn.right, top + high - 1), fill=RAISED)
        if isinstance(content, Curve):
            _curve(draw, drawn, content, top, high)
        else:
            _spans(draw, drawn, name, content, top, row)
        top += high + gap
    _axis(draw, drawn, top)
    return drawn


def scene_label(number: int, span: Span) -> str:
    """What a scene is called."""
    known = span.label and span.label != "unknown"
    return f"{number} {span.label}" if known else str(number)


def _lanes(findings: Findings) -> list[tuple[str, Sequence[Span] | Curve]]:
    """What to show, the usual ones first."""
    spans: dict[str, Sequence[Span]] = {name: found for name, found in findings.lanes.items() if found}
    if findings.cues and "speakers" not in spans:
        named = any(cue.speaker for cue in findings.cues)
        spans[_WHO_SPEAKS if named else "speech"] = [
            Span(cue.begin, cue.end, cue.speaker if named else cue.text) for cue in findings.cues
        ]
    names = sorted(spans, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    lanes: list[tuple[str, Sequence[Span] | Curve]] = [(name, spans[name]) for name in names]
    lanes += [(name, curve) for name, curve in sorted(findings.curves.items()) if len(curve.times) > 1]
    return lanes[:_MOST_LANES]


def _packed(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans in as few rows as they need, so that none covers another; at most five, the rest left out."""
    rows: list[list[Span]] = []
    for span in spans:
        for row in rows:
            if row[-1].end <= span.begin + 1e-3:
                row.append(span)
                break
        else:
            if len(rows) < _MOST_ROWS:
                rows.append([span])
    return rows


def _rows_of(content: Sequence[Span] | Curve) -> int:
    return 2 if isinstance(content, Curve) else max(1, len(_packed(content)))


def _spans(
    draw: ImageDraw.ImageDraw, drawn: Strip, name: str, spans: Sequence[Span], top: int, row: int
) -> None:
    font = drawn.fonts.size(round(drawn.text * 0.92))
    numbers = {span: number for number, span in enumerate(spans, start=1)}
    colours = _colours(name, spans)
    for level, packed in enumerate(_packed(spans)):
        y = top + level * row
        for span in packed:
            label = scene_label(numbers[span], span) if name == "scenes" else span.label
            begin, end = _x(drawn, span.begin), _x(drawn, span.end)
            fill = dimmed(colour_of(f"scene {numbers[span]}"), 0.75) if name == "scenes" else colours[label]
            end = max(begin + 1, end - 1)
            draw.rounded_rectangle(
                (begin, y + 1, end, y + row - 2), min(row / 6, (end - begin) / 2), fill=fill
            )
            if words := _fitting(label, font, end - begin - drawn.text * 0.5):
                draw.text((begin + drawn.text * 0.3, y + row / 2), words, fill=INK, font=font, anchor="lm")


def _colours(name: str, spans: Sequence[Span]) -> dict[str, Colour]:
    """A colour for each label; speakers have the one of their captions, others one each, as they come."""
    labels = dict.fromkeys(span.label for span in spans)
    if name in {"speakers", _WHO_SPEAKS}:
        return {label: colour_of(label) for label in labels}
    return {label: colour_of(f"emotion {number}") for number, label in enumerate(labels)}


def _fitting(label: str, font: Font, room: float) -> str:
    """The label, or the number in it, or as much of it as says something."""
    number = label.rpartition("_")[2].rpartition(" ")[2]
    for words in (label, number if number.isdigit() else ""):
        if words and font.getlength(words) <= room:
            return words
    words = shortened(label, font, room)
    return words if len(words) > 4 else ""


def _curve(draw: ImageDraw.ImageDraw, drawn: Strip, curve: Curve, top: int, high: int) -> None:
    """The curve between its least and its greatest value; the mean of what falls on one pixel."""
    sums, counts = [0.0] * (drawn.right + 1), [0] * (drawn.right + 1)
    for time, value in zip(curve.times, curve.values, strict=True):
        column = min(drawn.right, max(drawn.left, round(_x(drawn, time))))
        sums[column] += value
        counts[column] += 1
    means = [(x, sums[x] / counts[x]) for x in range(drawn.left, drawn.right + 1) if counts[x]]
    low, top_value = min(value for _, value in means), max(value for _, value in means)
    room = high - drawn.text * 0.5
    factor = room / (top_value - low) if top_value > low else 0.0
    line = [(x, top + high - drawn.text * 0.25 - (value - low) * factor) for x, value in means]
    if len(line) > 1:
        draw.line(line, fill=colour_of("curve 2"), width=max(1, drawn.text // 7), joint="curve")
    font = drawn.fonts.size(round(drawn.text * 0.75))
    for y, words, anchor in ((top + 1, f"{top_value:.4g}", "rt"), (top + high - 2, f"{low:.4g}", "rb")):
        area = draw.textbbox((drawn.right - 3, y), words, font=font, anchor=anchor)
        draw.rectangle((area[0] - 3, area[1] - 1, area[2] + 3, area[3] + 1), fill=RAISED)
        draw.text((drawn.right - 3, y), words, fill=DIM, font=font, anchor=anchor)


def _axis(draw: ImageDraw.ImageDraw, drawn: Strip, top: int) -> None:
    font = drawn.fonts.size(round(drawn.text * 0.85))
    room = (drawn.right - drawn.left) / max(1.0, font.getlength(clock(drawn.seconds, tenths=True)) * 2.2)
    step = next((tick for tick in _TICKS if drawn.seconds / tick <= max(1.0, room)), _TICKS[-1])
    for number in range(int(drawn.seconds / step + 1e-6) + 1):
        time = number * step
        x, words = _x(drawn, time), clock(time, tenths=step < 1)
        draw.line((x, top, x, top + drawn.text * 0.3), fill=DIM)
        half = font.getlength(words) / 2
        x = min(max(x, drawn.left + half), drawn.right - half)
        draw.text((x, top + drawn.text * 0.45), words, fill=DIM, font=font, anchor="mt")


def _x(drawn: Strip, time: float) -> float:
    return drawn.left + (drawn.right - drawn.left) * min(1.0, max(0.0, time / drawn.seconds))
