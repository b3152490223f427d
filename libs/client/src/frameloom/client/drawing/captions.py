"""WebVTT, SubRip and RTTM, read line by line: as these files are written in practice, faults passed over."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from frameloom.client.drawing.findings import Cue, Span

_TIMES = re.compile(
    r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)"
)
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<\d[^>]*>")


def cues(lines: Iterable[str]) -> Iterator[Cue]:
    """The captions of a WebVTT or SubRip file."""
    times: tuple[float, float] | None = None
    text: list[str] = []
    for raw in (*lines, ""):
        line = raw.strip("\ufeff\r\n")
        found = _TIMES.match(line.strip())
        if found is not None:
            times, text = (_seconds(*found.groups()[:3]), _seconds(*found.groups()[3:])), []
        elif line.strip():
            text.append(line.strip())
        elif times is not None:
            if cue := _cue(times, text):
                yield cue
            times = None


def turns(lines: Iterable[str]) -> Iterator[Span]:
    """Who speaks when, of an RTTM file."""
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or fields[0] != "SPEAKER":
            continue
        try:
            begin, length = float(fields[3]), float(fields[4])
        except ValueError:
            continue
        if length > 0:
            yield Span(round(begin, 3), round(begin + length, 3), fields[7])


def _cue(times: tuple[float, float], text: list[str]) -> Cue | None:
    whole = " ".join(text)
    voice = _VOICE.search(whole)
    said = " ".join(html.unescape(_TAG.sub("", whole)).split())
    if not said or times[1] <= times[0]:
        return None
    speaker = html.unescape(voice[1]).strip() if voice else ""
    return Cue(round(times[0], 3), round(times[1], 3), said, speaker)


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
