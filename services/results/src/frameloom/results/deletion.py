"""The end of a job: deletes what is older than the operator keeps, and removes what was deleted for good.

Deleting makes a tombstone of the document, whoever asks for it. The scheduler stops the tasks, the tidier
sweeps the bucket; here, a while later, the documents go. Each step may be repeated, and a crash between two
of them leaves the tombstone, by which the next round goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import structlog

from frameloom.common.background import in_background, repeatedly
from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.results.tidying import sweep_bucket

_LIMIT = 50
_RETENTION_ROUND_SECONDS = 60.0
log = structlog.get_logger(__name__)


class Purger:
    """Removes the documents of deleted jobs once nothing late can come any more.

    Args:
        jobs: Where the tombstones are.
        tasks: Their tasks.
        objects: Swept once more: what a stalled process wrote after the first sweep goes too.
        after_seconds: How long a tombstone stays: late messages meet it, and who watches events hears of it.
        every_seconds: How often they are looked for.
    """

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        objects: ObjectStore,
        *,
        after_seconds: float,
        every_seconds: float,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._objects = objects
        self._after_seconds = after_seconds
        self._every_seconds = every_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Purges in the background."""
        async with in_background(repeatedly(self.sweep, self._every_seconds, "purging waits"), "purger"):
            yield

    async def sweep(self) -> None:
        """Purges every tombstone that is due; one that can not go does not hold up the others."""
        for job in await self._jobs.purgeable(self._after_seconds, _LIMIT):
            try:
                await self.purge(job)
            except TransientError as error:
                log.warning("purging waits", job_id=job.id, reason=str(error))

    async def purge(self, job: JobDocument) -> bool:
        """Removes one: bucket, tasks, and last the tombstone, which told what is left. False: not yet."""
        try:
            jobs_machine.purge(job)
        except Refused:
            return False
        if any(task.state.leased for task in await self._tasks.of_job(job.id)):
            return False
        await sweep_bucket(self._objects, job)
        await self._tasks.remove_of_job(job.id)
        if not await self._jobs.remove(job):
            return False
        log.info("purged", job_id=job.id)
        return True


class Retention:
    """Deletes jobs that have been over for longer than the operator keeps them.

    Args:
        jobs: The jobs.
        keep: How long a job is kept after its end.
        clock: Tells the time.
    """

    def __init__(self, jobs: JobStore, keep: timedelta, clock: Clock) -> None:
        self._jobs = jobs
        self._keep = keep
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks for old jobs in the background."""
        work = repeatedly(self.sweep, _RETENTION_ROUND_SECONDS, "retention waits")
        async with in_background(work, "retention"):
            yield

    async def sweep(self) -> int:
        """Deletes all that are too old; answers how many. The scheduler's sweep publishes their events."""
        count = 0
        now = self._clock.now()
        while found := await self._jobs.expired(now - self._keep, _LIMIT):
            decide = partial(jobs_machine.delete, now=now, cause=jobs_machine.Cause.RETENTION)
            for job in found:
                try:
                    await transact(self._jobs, job.id, decide, known=job)
                except (Refused, NotFoundError):
                    continue  # somebody else was faster
                count += 1
        if count:
            log.info("old jobs deleted", count=count, kept_days=self._keep / timedelta(days=1))
        return count
