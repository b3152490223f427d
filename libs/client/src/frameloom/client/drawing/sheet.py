"""A contact sheet: a picture for each scene, with what was found on it, its times, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path

from PIL import Image, ImageDraw

from frameloom.client.drawing.figures import Painter
from frameloom.client.drawing.film import Look, fitted
from frameloom.client.drawing.findings import Findings, Span
from frameloom.client.drawing.media import Video
from frameloom.client.drawing.palette import BACKGROUND, DIM, TEXT, Fonts, clock, shortened, wrapped
from frameloom.client.drawing.timeline import scene_label, strip
from frameloom.client.errors import UsageError

FORMATS = (".jpg", ".jpeg", ".png", ".webp")
_MOST = 60
_WITHOUT_SCENES = 12
_THUMB = 400
_LINES = 2


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was written.

    Attributes:
        path: Where.
        pictures: How many there are on it.
        scenes: How many scenes there are; 0: none were found, so the pictures are evenly spread.
    """

    path: Path
    pictures: int
    scenes: int


def make_sheet(video: Path, findings: Findings, target: Path, look: Look) -> Sheet:
    """Writes a picture file, whose format its suffix names.

    Args:
        video: The original.
        findings: What to draw.
        target: Where to.
        look: How; its width is that of one picture.

    Raises:
        UsageError: The video can not be read, or the format is not known.
    """
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"A sheet is written as {', '.join(FORMATS)}, not as {target.suffix or 'that'}")
    fonts = Fonts(look.font)
    with Video(video) as source:
        scenes = findings.lanes.get("scenes", [])
        shown = _chosen(scenes) or _even(source.seconds)
        cells = [
            _cell(source, findings, look, fonts, span, label if scenes else "")
            for span, label in _labelled(shown, scenes)
        ]
        pictures = [cell for cell in cells if cell is not None]
        page = _page(video.name, source.seconds, findings, pictures, look, fonts)
    scratch = target.with_name(f".{target.name}{target.suffix}")
    try:
        page.save(scratch, quality=90)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return Sheet(target, len(pictures), len(scenes))


def _chosen(scenes: list[Span]) -> list[Span]:
    """All scenes; of very many an even choice."""
    if len(scenes) <= _MOST:
        return scenes
    return [scenes[round(index * (len(scenes) - 1) / (_MOST - 1))] for index in range(_MOST)]


def _even(seconds: float) -> list[Span]:
    """Stretches of one length, where no scenes are known."""
    count = min(_WITHOUT_SCENES, max(1, int(seconds)))
    step = max(seconds, 0.001) / count
    return [Span(index * step, (index + 1) * step, "") for index in range(count)]


def _labelled(shown: list[Span], scenes: list[Span]) -> Iterator[tuple[Span, str]]:
    numbers = {span: number for number, span in enumerate(scenes, start=1)}
    for span in shown:
        yield span, scene_label(numbers.get(span, 0), span)


def _cell(
    source: Video, findings: Findings, look: Look, fonts: Fonts, span: Span, label: str
) -> Image.Image | None:
    """The picture in the middle of a scene, with lines of text below; None if none can be decoded there."""
    middle = (span.begin + span.end) / 2
    part = next(source.at([middle]), None)
    if part is None:
        return None
    size = fitted(source.size, look.width or _THUMB)
    picture = source.upright(part.frame, size)
    if look.boxes:
        scale = (size[0] / source.size[0], size[1] / source.size[1])
        Painter.of(size, scale, fonts).boxes(picture, findings.boxes_at(part.time))
    text = _text_size(size[0])
    font, small = fonts.size(text), fonts.size(round(text * 0.9))
    lines = _LINES if look.captions and findings.cues else 0
    cell = Image.new("RGB", (size[0], size[1] + round(text * (1.9 + 1.25 * lines))), BACKGROUND)
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    y = size[1] + text * 0.35
    times = f"{clock(span.begin, tenths=True)} – {clock(span.end, tenths=True)}"
    draw.text((size[0], y), times, fill=DIM, font=font, anchor="rt")
    room = size[0] - font.getlength(times) - text
    draw.text((0, y), shortened(label and f"Scene {label}", font, room), fill=TEXT, font=font, anchor="lt")
    said = " ".join(cue.text for cue in findings.cues if cue.begin < span.end and cue.end > span.begin)
    if lines and said:
        for number, line in enumerate(wrapped(f"“{said}”", small, size[0], lines)):
            draw.text((0, y + text * (1.5 + 1.25 * number)), line, fill=DIM, font=small, anchor="lt")
    return cell


def _page(
    name: str, seconds: float, findings: Findings, cells: list[Image.Image], look: Look, fonts: Fonts
) -> Image.Image:
    """Cells in rows, a heading above, the strip below."""
    if not cells:
        raise UsageError("No picture of the video can be decoded, so there is nothing to put on a sheet")
    wide, high = cells[0].size
    columns = max(1, min(len(cells), 6, ceil(sqrt(len(cells) * 1.3 * high / wide))))
    rows = ceil(len(cells) / columns)
    text = _text_size(wide)
    gap, head = round(text * 1.1), round(text * 4.6)
    width = columns * wide + (columns + 1) * gap
    room = (width - 2 * gap, high)
    below = strip(findings, room, seconds, fonts, text=round(text * 0.85)) if look.timeline else None
    height = head + rows * (high + gap) + (below.picture.height + gap if below else 0)
    page = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(page)
    title = fonts.size(round(text * 1.45))
    draw.text((gap, gap), shortened(name, title, width - 2 * gap), fill=TEXT, font=title, anchor="lt")
    facts = shortened(_facts(findings, seconds), fonts.size(text), width - 2 * gap)
    draw.text((gap, gap + text * 2.0), facts, fill=DIM, font=fonts.size(text), anchor="lt")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        page.paste(cell, (gap + column * (wide + gap), head + row * (high + gap)))
    if below is not None:
        page.paste(below.picture, (gap, height - below.picture.height - gap))
    return page


def _facts(findings: Findings, seconds: float) -> str:
    """How much there is, in a line."""
    tracks = list(findings.tracks.values())
    told = [clock(seconds, tenths=True)]
    for kind, word in (("person", "persons"), ("face", "faces")):
        count = sum(1 for track in tracks if track.kind == kind and not track.loose)
        told += [f"{count} {word if count != 1 else word[:-1]}"] if count else []
    for lane in ("scenes", "speakers", "sounds"):
        spans = findings.lanes.get(lane, [])
        count = len({span.label for span in spans}) if lane == "speakers" else len(spans)
        told += [f"{count} {lane if count != 1 else lane[:-1]}"] if count else []
    return "  ·  ".join([*told, *([f"{len(findings.cues)} captions"] if findings.cues else [])])


def _text_size(width: int) -> int:
    return max(11, round(width / 26))
