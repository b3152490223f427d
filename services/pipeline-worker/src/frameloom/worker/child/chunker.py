"""Gathers rows into chunks that are small enough for a message and old enough to be worth one. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from frameloom.common.pipelines import Item
from frameloom.worker.child.protocol import Chunk
from frameloom.worker.errors import TaskError

CHUNK_BYTES = 512 * 1024
CHUNK_SECONDS = 2.0
_ENVELOPE_BYTES = 64


@dataclass
class Chunker:
    """Collects items; :meth:`add` and :meth:`rest` hand out chunks in order.

    Sizes are counted before compression, which keeps a chunk well under its limit on the wire.

    Attributes:
        member: Whose rows they are.
        limit_bytes: Largest size of a chunk's rows as JSON.
        limit_seconds: A chunk older than this is handed out although it is small: partial results exist
            while the task still runs.
    """

    member: str
    limit_bytes: int = CHUNK_BYTES
    limit_seconds: float = CHUNK_SECONDS
    _items: list[Item] = field(default_factory=list)
    _bytes: int = 0
    _start: float = 0.0
    _end: float = 0.0
    _since: float = 0.0

    def add(self, items: Sequence[Item], start: float, end: float, now: float) -> list[Chunk]:
        """Takes items that cover the media seconds from ``start`` to ``end``; answers the chunks due.

        Raises:
            TaskError: One item alone is larger than a chunk may be.
        """
        due: list[Chunk] = []
        for item in items:
            size = len(json.dumps(item.row, separators=(",", ":"))) + _ENVELOPE_BYTES
            if size > self.limit_bytes:
                raise TaskError(
                    "worker_protocol",
                    f"The pipeline made one annotation of {size // 1024} KiB; "
                    f"{self.limit_bytes // 1024} KiB is the most that can be sent.",
                )
            if self._bytes + size > self.limit_bytes:
                due += self.rest()
            if not self._items:
                self._start, self._since = start, now
            self._items.append(item)
            self._bytes += size
            self._end = end
        if self._items and now - self._since >= self.limit_seconds:
            due += self.rest()
        return due

    def rest(self) -> list[Chunk]:
        """What is left, as one chunk or none."""
        if not self._items:
            return []
        chunk = Chunk(
            member=self.member,
            start_seconds=self._start,
            end_seconds=self._end,
            items=tuple(self._items),
        )
        self._items = []
        self._bytes = 0
        return [chunk]
