"""CHAT transcripts (TalkBank): participants first, then one utterance a line with its time."""

from __future__ import annotations

import re

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records, said, span, tier_of, tiers, within

_MOST_SPEAKERS = 99
_BULLET = "\x15"
_ENDINGS = ".?!"
_NOT_ALLOWED = re.compile(r"[^\w\s'’-]", re.UNICODE)


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """Speakers are ``SP01``, ``SP02``, … with their name as participant; the role is never guessed.

    ``options["media"]`` must be the file's own stem, which readers insist on; without it no media are named.
    """
    names = await tiers(spec, rows, _MOST_SPEAKERS)
    codes = {name: f"SP{number:02d}" for number, name in enumerate(names, start=1)}
    language = str(spec.options.get("language") or "und")
    listed = ", ".join(f"{code} {_name(name)} Unidentified" for name, code in codes.items())
    head = ["@UTF8", "@Begin", f"@Languages:\t{language}", f"@Participants:\t{listed}"]
    head += [f"@ID:\t{language}|frameloom|{code}|||||Unidentified|||" for code in codes.values()]
    if media := spec.options.get("media"):
        head.append(f"@Media:\t{_name(str(media))}, {spec.options.get('medium', 'audio')}")
    head.append(f"@Comment:\t{provenance.pipeline} {provenance.pipeline_version}, not corrected by hand")
    out.write(("\n".join(head) + "\n").encode())
    count = 0
    async for row in records(rows, spec.counted):
        times, text = span(row), said(spec, row)
        if times is None or not (spoken := _utterance(text)):
            continue
        count += 1
        code = codes[within(tier_of(spec, row), names)]
        bullet = f"{_BULLET}{round(times[0] * 1000)}_{round(times[1] * 1000)}{_BULLET}"
        out.write(f"*{code}:\t{spoken} {bullet}\n".encode())
    out.write(b"@End\n")
    return count


def _utterance(text: str) -> str:
    """The words, and one terminator; punctuation inside means something else in CHAT."""
    ending = text.rstrip("\"'”’ ")[-1:]
    tokens = _NOT_ALLOWED.sub(" ", text).split()
    spoken = " ".join(token for token in tokens if any(c.isalnum() for c in token))
    return f"{spoken} {ending if ending and ending in _ENDINGS else '.'}" if spoken else ""


def _name(text: str) -> str:
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "unknown"
