"""Which jobs there are, in little memory: when each was created and how it stands. Pure.

Of every job of a tenant two arrays hold the time of its creation and its status, nine bytes together. So how
many there are, which of them make a page, and how many wait in front of one is known without asking the
database. Ids are kept only of jobs that can still change, and of young ones, whose events may come late.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from frameloom.common.documents import LISTED, JobStatus
from frameloom.common.ports.stores import JobRow

_CODES = {status: code for code, status in enumerate(LISTED)}
_CODE_BITS = 3
_CODE_MASK = (1 << _CODE_BITS) - 1
_RANKS = {JobStatus.PENDING: 0, JobStatus.RUNNING: 1}
_OVER = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """The jobs of a page as a span of creation times.

    Attributes:
        since: When the first of them was created.
        before: The millisecond after the last of them was created.
        skip: How many others created in the same millisecond as the first stand before it.
        limit: How many jobs the page has.
    """

    since: datetime
    before: datetime
    skip: int
    limit: int


class Column:
    """The jobs of one tenant, in order of creation."""

    def __init__(self) -> None:
        self._times = array("q")
        self._codes = bytearray()
        self._counts = [0] * len(LISTED)

    @classmethod
    def of(cls, packed: Iterable[int]) -> Column:
        """A column of jobs in any order, each one number: eight times its millisecond, plus its code."""
        column = cls()
        ordered = sorted(packed)
        column._times.extend(number >> _CODE_BITS for number in ordered)
        column._codes.extend(number & _CODE_MASK for number in ordered)
        column._counts = [column._codes.count(code) for code in range(len(LISTED))]
        return column

    def add(self, time: int, code: int) -> None:
        """A job more."""
        place = bisect_right(self._times, time)
        self._times.insert(place, time)
        self._codes.insert(place, code)
        self._counts[code] += 1

    def move(self, time: int, old: int, new: int) -> bool:
        """A job changes its status; False: there is none that was created then and stood so."""
        place = self._place(time, old)
        if place is None:
            return False
        self._codes[place] = new
        self._counts[old] -= 1
        self._counts[new] += 1
        return True

    def remove(self, time: int, code: int) -> bool:
        """A job less; False: there is none that was created then and stands so."""
        place = self._place(time, code)
        if place is None:
            return False
        del self._times[place]
        del self._codes[place]
        self._counts[code] -= 1
        return True

    def total(self, status: JobStatus | None) -> int:
        """How many jobs stand so; None: all."""
        return len(self._times) if status is None else self._counts[_CODES[status]]

    def window(self, status: JobStatus | None, skip: int, limit: int) -> Window | None:
        """The span of a page; None: nothing is on it."""
        limit = min(limit, self.total(status) - skip)
        if limit <= 0:
            return None
        first = self._times[self._nth(status, skip)]
        last = self._times[self._nth(status, skip + limit - 1)]
        return Window(_time(first), _time(last + 1), skip - self._before(status, first), limit)

    def _place(self, time: int, code: int) -> int | None:
        begin, end = bisect_left(self._times, time), bisect_right(self._times, time)
        place = self._codes.find(code, begin, end)
        return place if place >= 0 else None

    def _before(self, status: JobStatus | None, time: int) -> int:
        """How many jobs that stand so were created before this millisecond."""
        place = bisect_left(self._times, time)
        return place if status is None else self._codes.count(_CODES[status], 0, place)

    def _nth(self, status: JobStatus | None, number: int) -> int:
        """Where the job of this number (from 0) among those that stand so is."""
        if status is None:
            return number
        code, start = _CODES[status], 0
        while (held := self._codes.count(code, start, start + _BLOCK)) <= number:
            number -= held
            start += _BLOCK
        place = self._codes.find(code, start)
        for _ in range(number):
            place = self._codes.find(code, place + 1)
        return place


@dataclass(slots=True)
class _Known:
    """A job of which events may still come."""

    tenant: str
    time: int
    status: JobStatus
    seq: int


class Ledger:
    """All jobs of all tenants, and the queue of those that are pending."""

    def __init__(self) -> None:
        self._columns: defaultdict[str, Column] = defaultdict(Column)
        self._known: dict[str, _Known] = {}
        self._queue: list[tuple[int, str]] = []

    @staticmethod
    def counts(status: str) -> bool:
        """Whether jobs that stand so are counted; deleted ones are not."""
        return status in _CODES

    def add(self, job_id: str, tenant: str, status: JobStatus, created_at: datetime, seq: int) -> bool:
        """A new job; one that is known already only changes, if this is news."""
        if job_id in self._known:
            return self.change(job_id, status, seq)
        time = _milliseconds(created_at)
        self._columns[tenant].add(time, _CODES[status])
        self._known[job_id] = _Known(tenant, time, status, seq)
        if status is JobStatus.PENDING:
            insort(self._queue, (time, job_id))
        return True

    def change(self, job_id: str, status: JobStatus, seq: int) -> bool:
        """A job stands so with its event of this sequence; old news change nothing.

        Returns:
            Whether the job is known here.
        """
        known = self._known.get(job_id)
        if known is None:
            return False
        # A census does not tell the sequence: until an event has, a job does not go back.
        back = not known.seq and _rank(status) < _rank(known.status)
        if seq <= known.seq or back:
            return True
        known.seq = seq
        if known.status is not status:
            self._columns[known.tenant].move(known.time, _CODES[known.status], _CODES[status])
            if known.status is JobStatus.PENDING:
                self._leave_queue(known.time, job_id)
            elif status is JobStatus.PENDING:
                insort(self._queue, (known.time, job_id))
            known.status = status
        return True

    def remove(self, job_id: str) -> bool:
        """A job is gone; False: it is not known by its id."""
        known = self._known.pop(job_id, None)
        if known is None:
            return False
        if known.status is JobStatus.PENDING:
            self._leave_queue(known.time, job_id)
        return self._columns[known.tenant].remove(known.time, _CODES[known.status])

    def remove_old(self, tenant: str, status: JobStatus, created_at: datetime) -> bool:
        """A job whose id is forgotten is gone; False: none that was created then stands so."""
        column = self._columns.get(tenant)
        return column is not None and column.remove(_milliseconds(created_at), _CODES[status])

    def total(self, tenant: str, status: JobStatus | None = None) -> int:
        """How many jobs of a tenant stand so; None: all."""
        column = self._columns.get(tenant)
        return column.total(status) if column else 0

    def by_status(self, tenant: str | None) -> dict[JobStatus, int]:
        """How many jobs of a tenant stand how; None: of all tenants."""
        return {
            status: sum(
                column.total(status) for name, column in self._columns.items() if tenant in {None, name}
            )
            for status in LISTED
        }

    def window(self, tenant: str, status: JobStatus | None, skip: int, limit: int) -> Window | None:
        """The span of a page of a tenant's jobs, oldest first; None: nothing is on it."""
        column = self._columns.get(tenant)
        return column.window(status, skip, limit) if column else None

    def position(self, job_id: str, created_at: datetime) -> int:
        """The place of a pending job among those of all tenants; 1 is next."""
        return bisect_left(self._queue, (_milliseconds(created_at), job_id)) + 1

    def forget_old(self, young_since: datetime) -> None:
        """Drops the ids of jobs that are over and older than this."""
        young = _milliseconds(young_since)
        over = [k for k, job in self._known.items() if job.status.terminal and job.time < young]
        for key in over:
            del self._known[key]

    def _leave_queue(self, time: int, job_id: str) -> None:
        place = bisect_left(self._queue, (time, job_id))
        if place < len(self._queue) and self._queue[place] == (time, job_id):
            del self._queue[place]


class Census:
    """Gathers the rows of a census into a ledger.

    Args:
        young_since: Jobs created since then are remembered by their id although they are over.
    """

    def __init__(self, young_since: datetime) -> None:
        self._young = _milliseconds(young_since)
        self._packed: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._ledger = Ledger()

    def take(self, rows: Iterable[JobRow]) -> None:
        """Some rows more, in any order."""
        for row in rows:
            if row.status not in _CODES:
                continue  # deleted: only its document is still there
            time = _milliseconds(row.created_at)
            self._packed[row.tenant].append(time << _CODE_BITS | _CODES[row.status])
            if time >= self._young or not row.status.terminal:
                self._ledger._known[row.id] = _Known(row.tenant, time, row.status, seq=0)
            if row.status is JobStatus.PENDING:
                self._ledger._queue.append((time, row.id))

    def ledger(self) -> Ledger:
        """The ledger of all rows; takes a while when they are many."""
        self._ledger._queue.sort()
        for tenant, packed in self._packed.items():
            self._ledger._columns[tenant] = Column.of(packed)
        return self._ledger


def _rank(status: JobStatus) -> int:
    return _RANKS.get(status, _OVER)


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MILLISECOND


def _time(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND
