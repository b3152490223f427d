"""A bounded log that many clients read, each at its own pace.

Events stand in it in order until all have read them, or too many wait: then the oldest go, and a client that
had not read them is told so. Telemetry does not stand in it: of each topic only the newest waits, so it can
not push an event out.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from frameloom.gateway.services.entries import Entry


@dataclass(frozen=True, slots=True)
class News:
    """What a client has not been told.

    Attributes:
        entries: Events in order, then telemetry.
        missed: So many events before them are not here any more.
        first_missed: By job, the first of those; None: it is not known any more.
    """

    entries: list[Entry]
    missed: int = 0
    first_missed: Mapping[str, int] | None = field(default_factory=dict)


@dataclass(slots=True)
class Cursor:
    """How far a client has read: events, and versions of telemetry."""

    events: int
    version: int


class Channel:
    """The log of one job, or of one tenant.

    Args:
        size: Most events that wait for the slowest client.
        remembered: Of so many further events it is known of which job they were.
        now: By the loop's clock.
        since: The time.

    Attributes:
        spoke_at: When something was put in last, by the loop's clock.
        since: Since when it has clients.
        checked: Up to when the documents were looked through for what nobody told.
        silences: How many there were.
    """

    def __init__(self, size: int, remembered: int, now: float, since: datetime) -> None:
        self.spoke_at = now
        self.since = self.checked = since
        self.silences = 0
        self._size = size
        self._events: deque[Entry] = deque()
        self._gone: deque[tuple[str, int]] = deque(maxlen=remembered)
        self._put = 0
        self._version = 0
        self._latest: dict[str, tuple[int, Entry]] = {}
        self._readers: Counter[int] = Counter()
        self._changed = asyncio.Event()

    @property
    def unread(self) -> bool:
        """Nobody reads it."""
        return not self._readers

    def join(self) -> Cursor:
        """A new client, which is told what comes from now on."""
        self._readers[self._put] += 1
        return Cursor(self._put, self._version)

    def leave(self, cursor: Cursor) -> None:
        """A client goes."""
        self._left(cursor.events)

    def put(self, entries: Iterable[Entry], now: float) -> None:
        """Adds entries, and wakes who waits for some."""
        self.spoke_at = now
        for entry in entries:
            if entry.topic is not None:
                self._version += 1
                self._latest[entry.topic] = (self._version, entry)
                continue
            self._put += 1
            self._events.append(entry)
            if len(self._events) > self._size:
                gone = self._events.popleft()
                self._gone.append((gone.job_id or "", gone.seq or 0))
            if entry.outdates is not None:
                self._latest.pop(entry.outdates, None)
        self.wake()

    def wake(self) -> None:
        """Wakes everybody who waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Waits until something is put in, or everybody is woken."""
        await self._changed.wait()

    def read(self, cursor: Cursor) -> News | None:
        """What is new behind a cursor, which is moved; None if nothing is."""
        if cursor.events == self._put and cursor.version == self._version:
            return None
        begin = self._put - len(self._events)
        missed = max(0, begin - cursor.events)
        entries = list(islice(self._events, max(0, cursor.events - begin), None))
        if cursor.version != self._version:
            entries += [entry for version, entry in self._latest.values() if version > cursor.version]
        first = self._first_of(missed) if missed else {}
        before, cursor.events, cursor.version = cursor.events, self._put, self._version
        self._readers[self._put] += 1
        self._left(before)
        return News(entries, missed, first)

    def _first_of(self, missed: int) -> dict[str, int] | None:
        if missed > len(self._gone):
            return None
        first: dict[str, int] = {}
        for job_id, seq in islice(self._gone, len(self._gone) - missed, None):
            first.setdefault(job_id, seq)
        return first

    def _left(self, place: int) -> None:
        """A client has gone on from here: what everybody has read goes."""
        self._readers[place] -= 1
        if self._readers[place]:
            return
        del self._readers[place]
        slowest = min(self._readers, default=self._put)
        for _ in range(slowest - (self._put - len(self._events))):
            self._events.popleft()
