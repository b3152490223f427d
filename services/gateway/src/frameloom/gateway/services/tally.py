"""How many jobs there are and which are on a page, without asking the database each time.

Every job is counted once, at the start. From then on the count follows what this gateway writes, at once, and
what the others write, as soon as its event comes by, which takes milliseconds. Now and then everything is
counted anew in the background, for events that never came; and soon, when one speaks of a job that is not
known here. Meanwhile the old count answers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from frameloom.common.background import in_background, set_within
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.errors import TransientError
from frameloom.common.events import Event, JobEventMessage
from frameloom.common.ports.stores import JobStore
from frameloom.gateway.services.ledger import Census, Ledger, Window

_SUBMITTED = "job.submitted"
_YOUNG = timedelta(minutes=10)
"""How late an event may come and still be told from a repetition."""
_AT_EASE_SHARE = 0.005
_IN_DOUBT_SHARE = 0.05
"""Of all time, how much may go into counting."""
_IN_DOUBT_SECONDS = 1.0
_REMEMBERED_DELETIONS = 10_000
log = structlog.get_logger(__name__)
_STATUS: TypeAdapter[JobStatus] = TypeAdapter(JobStatus)
_TIME: TypeAdapter[AwareDatetime] = TypeAdapter(AwareDatetime)
Entry = Callable[[Ledger], bool]
"""Writes something into a ledger; False: it does not fit what stands there."""


class Tally:
    """The jobs of all tenants, counted.

    Args:
        jobs: What is counted.
        clock: Tells which jobs are young.
        recount_seconds: How long a count is trusted, unless counting takes so long that more would be spent
            on it than half a percent of the time.
    """

    def __init__(self, jobs: JobStore, clock: Clock, recount_seconds: float = 60.0) -> None:
        self._jobs = jobs
        self._clock = clock
        self._recount_seconds = recount_seconds
        self._ledger: Ledger | None = None
        self._counting = asyncio.Lock()
        self._meanwhile: list[Entry] | None = None
        self._took_seconds = 0.0
        self._asked = False
        self._doubtful = asyncio.Event()
        self._deleted: OrderedDict[str, None] = OrderedDict()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Counts now, and again when it is time, in the background."""
        async with in_background(self._recount(), "tally"):
            yield

    async def total(self, tenant: str, status: JobStatus | None = None) -> int:
        """How many jobs of a tenant stand so; None: all.

        Raises:
            DatabaseUnavailableError: Nothing was counted yet. (So do the others.)
        """
        return (await self._known()).total(tenant, status)

    async def by_status(self, tenant: str | None) -> dict[JobStatus, int]:
        """How many jobs of a tenant stand how; None: of all tenants."""
        return (await self._known()).by_status(tenant)

    async def window(self, tenant: str, status: JobStatus | None, skip: int, limit: int) -> Window | None:
        """Where a page of a tenant's jobs lies; None: nothing is on it."""
        return (await self._known()).window(tenant, status, skip, limit)

    async def position(self, job: JobDocument) -> int | None:
        """The place of a job among the pending ones of all tenants, 1 is next; None: it is not pending."""
        if job.status is not JobStatus.PENDING:
            return None
        return (await self._known()).position(job.id, job.created_at)

    def wrote(self, job: JobDocument) -> None:
        """This gateway has stored or changed a job."""
        self._enter(lambda ledger: ledger.add(job.id, job.tenant, job.status, job.created_at, job.seq))

    def deleted(self, job: JobDocument) -> None:
        """This gateway has deleted a job; ``job`` is as it was before."""
        self._remember_deleted(job.id)
        self._enter(
            lambda ledger: ledger.remove(job.id) or ledger.remove_old(job.tenant, job.status, job.created_at)
        )

    async def heard(self, event: Event) -> None:
        """Takes an event of the feed, of whichever gateway or scheduler."""
        if not isinstance(event, JobEventMessage) or event.job_id in self._deleted:
            return
        job_id, seq = event.job_id, event.seq
        if not Ledger.counts(event.status):
            self._remember_deleted(job_id)
            self._enter(lambda ledger: ledger.remove(job_id) or _remove_told(ledger, event))
            return
        status = JobStatus(event.status)
        if event.type == _SUBMITTED:
            self._enter(lambda ledger: ledger.add(job_id, event.tenant, status, event.time, seq))
        else:
            self._enter(lambda ledger: ledger.change(job_id, status, seq))

    def doubt(self) -> None:
        """Something does not fit: counts anew, soon."""
        self._doubtful.set()

    def _remember_deleted(self, job_id: str) -> None:
        self._deleted[job_id] = None
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def _enter(self, entry: Entry) -> None:
        if self._meanwhile is not None:
            self._meanwhile.append(entry)
        if self._ledger is not None and not entry(self._ledger):
            self.doubt()

    async def _known(self) -> Ledger:
        self._asked = True
        if self._ledger is None:
            async with self._counting:
                return self._ledger or await self._count()
        return self._ledger

    async def _recount(self) -> None:
        await self._tried()
        while True:
            pause = max(self._recount_seconds, self._took_seconds / _AT_EASE_SHARE)
            if await set_within(self._doubtful, pause):
                await asyncio.sleep(max(_IN_DOUBT_SECONDS, self._took_seconds / _IN_DOUBT_SHARE))
                await self._tried()
            elif self._asked:
                self._asked = False
                await self._tried()
            elif self._ledger is not None:
                self._ledger.forget_old(self._clock.now() - _YOUNG)

    async def _tried(self) -> None:
        try:
            async with self._counting:
                await self._count()
        except TransientError as error:
            log.warning("jobs not counted", reason=str(error))
            self.doubt()

    async def _count(self) -> Ledger:
        """Counts everything; to be called under the lock. What is written meanwhile is entered at the end."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._doubtful.clear()
        self._meanwhile = []
        try:
            census = Census(self._clock.now() - _YOUNG)
            async for rows in self._jobs.census():
                census.take(rows)
            ledger = await asyncio.to_thread(census.ledger)
            for entry in self._meanwhile:
                if not entry(ledger):
                    self.doubt()
        finally:
            self._meanwhile = None
        self._ledger = ledger
        self._took_seconds = loop.time() - began
        return ledger


def _remove_told(ledger: Ledger, event: JobEventMessage) -> bool:
    """Takes a deleted job out by what its event tells; False: it does not, or none stands so."""
    try:
        was = _STATUS.validate_python(event.data.get("was"))
        created_at = _TIME.validate_python(event.data.get("created_at"))
    except ValidationError:
        return False
    return ledger.remove_old(event.tenant, was, created_at)
