"""What the formats share: where rows come from, where bytes go, and what a writer is.

A writer may go over the rows more than once (their count, their speakers), but it never holds all of them:
memory stays flat whatever the length of the video.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from frameloom.common.errors import FrameloomError
from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Row

Rows = Callable[[str], AsyncIterator[list[bytes]]]
"""Streams the rows of a list by its name, in batches, each row as compact JSON. May be called again."""


class Out(Protocol):
    """Takes the bytes of the file, in order."""

    def write(self, data: bytes, /) -> object:
        """Appends."""
        ...


Writer = Callable[[ArtefactSpec, Provenance, Rows, Out], Awaitable[int]]
"""Writes one file and answers how many annotations it has."""


class UnknownWriterError(FrameloomError):
    """A worker asks for a format that this results service does not write."""

    code = "UNKNOWN_FORMAT"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"This results service does not write the format {name}",
            hint=f"It writes {', '.join(known)}. Is the worker newer than the results service?",
        )


async def records(rows: Rows, name: str) -> AsyncIterator[Row]:
    """The rows of a list, one by one."""
    async for batch in rows(name):
        for row in batch:
            yield json.loads(row)


def compact(value: Any) -> bytes:
    """A value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def span(row: Row) -> tuple[float, float] | None:
    """Begin and end of a row in seconds of media time; None if it covers no time.

    Rows of pictures have ``start_time`` and ``end_time``; those of sound have ``start`` and ``end``, because
    viewers take a JSON file with the longer names for scenes.
    """
    begin, end = row.get("start_time", row.get("start")), row.get("end_time", row.get("end"))
    if not isinstance(begin, int | float) or not isinstance(end, int | float) or end <= begin:
        return None
    return max(0.0, float(begin)), float(end)


def words(value: Any) -> str:
    """A text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value or "")).split())


def said(spec: ArtefactSpec, row: Row) -> str:
    """What a row says: the field that the artefact names as its text, after its prefix."""
    text = words(row.get(spec.options.get("text", "text")))
    return f"{spec.options.get('prefix', '')}{text}" if text else ""


def speaker(spec: ArtefactSpec, row: Row) -> str:
    """Who a row is of: the field that the artefact names as its tier; empty if it has none."""
    return words(row.get(spec.options.get("tier", "speaker")))


async def tiers(spec: ArtefactSpec, rows: Rows, most: int) -> list[str]:
    """The names of the tiers in order of appearance; what comes after ``most`` goes into the last one.

    Never empty: rows without a tier are of the artefact's ``unnamed`` one.
    """
    found: dict[str, None] = {}
    async for row in records(rows, spec.counted):
        if span(row) is not None and len(found) < most:
            found.setdefault(tier_of(spec, row))
    return list(found) or [unnamed(spec)]


def unnamed(spec: ArtefactSpec) -> str:
    """The tier of rows that name none."""
    return str(spec.options.get("unnamed", "annotations"))


def tier_of(spec: ArtefactSpec, row: Row) -> str:
    """The tier that a row belongs to."""
    return speaker(spec, row) or unnamed(spec)


def within(name: str, known: Sequence[str]) -> str:
    """The tier itself, or the last one where there were too many."""
    return name if name in known else known[-1]
