"""Rows of speech that segments have found, joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from frameloom.common.pipelines import Row

_TWICE = 0.5
"""A row that lies in those of the segment before for more than this share was said there already."""


def joined(pieces: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """The rows of all segments, in order of time; numbered anew.

    Speech belongs to the segment in which it begins, so there is nothing to join but where two were in doubt.
    """
    number = 0
    reached = float("-inf")
    for rows in pieces:
        before = reached
        for row in rows:
            if _covered(row, before):
                continue
            number += 1
            reached = max(reached, row["end"])
            yield {**row, "id": number}


def _covered(row: Row, before: float) -> bool:
    length = row["end"] - row["start"]
    return bool(min(before, row["end"]) - row["start"] > _TWICE * length)
