"""Reading, listing, cancelling and deleting jobs."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import LISTED, JobDocument, JobStatus
from frameloom.common.errors import JobNotFoundError, NotFoundError, TransientError
from frameloom.common.machines.job import delete, request_cancel
from frameloom.common.machines.transition import Change, Refused
from frameloom.common.ports.stores import JobStore
from frameloom.common.relay import JobRelay
from frameloom.gateway.errors import JobAlreadyCompletedError
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.quotas import Quotas
from frameloom.gateway.services.tally import Tally


@dataclass(frozen=True, slots=True)
class Placed:
    """A job, and its place in the queue while it is pending (1 is next)."""

    job: JobDocument
    queue_position: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of jobs, oldest first, and how many there are in all."""

    jobs: tuple[Placed, ...]
    total: int


class JobService:
    """The caller's jobs; another tenant's do not exist here."""

    def __init__(self, jobs: JobStore, tally: Tally, quotas: Quotas, relay: JobRelay, clock: Clock) -> None:
        self._jobs = jobs
        self._tally = tally
        self._quotas = quotas
        self._relay = relay
        self._clock = clock

    async def get(self, caller: Caller, job_id: str) -> JobDocument:
        """One job.

        Raises:
            JobNotFoundError: There is none of this id, or it is not the caller's, or it was deleted.
        """
        job = await self._jobs.get(job_id)
        if job is None or job.tenant != caller.tenant:
            raise JobNotFoundError(job_id)
        return job

    async def placed(self, job: JobDocument) -> Placed:
        """The job with its place in the queue; without it rather than not at all: the job is accepted."""
        try:
            return Placed(job, await self._tally.position(job))
        except TransientError:
            return Placed(job, None)

    async def page(self, caller: Caller, *, page: int, per_page: int, status: str | None) -> Page:
        """One page of the caller's jobs; an unknown status has none.

        Args:
            caller: Whose jobs.
            page: From 1.
            per_page: Jobs on a page.
            status: Only these; None or empty: all.
        """
        wanted: JobStatus | None = None
        if status:
            if status not in LISTED:
                return Page((), 0)
            wanted = JobStatus(status)
        total = await self._tally.total(caller.tenant, wanted)
        window = await self._tally.window(caller.tenant, wanted, (page - 1) * per_page, per_page)
        if window is None:
            return Page((), total)
        jobs = await self._jobs.between(
            tenant=caller.tenant,
            status=wanted,
            since=window.since,
            before=window.before,
            skip=window.skip,
            limit=window.limit,
        )
        if wanted is None and len(jobs) < window.limit:
            self._tally.doubt()
        return Page(tuple([await self.placed(job) for job in jobs]), total)

    async def cancel(self, caller: Caller, job_id: str) -> JobDocument:
        """Cancels a job at once; the workers that run its tasks are told by the scheduler.

        Raises:
            JobNotFoundError: There is none.
            JobAlreadyCompletedError: It is completed or failed. Cancelling twice is no error.
        """
        job = await self.get(caller, job_id)
        if job.status is JobStatus.CANCELLED:
            return job
        now = self._clock.now()
        try:
            job = await transact(self._jobs, job_id, lambda current: request_cancel(current, now), known=job)
        except NotFoundError:
            raise JobNotFoundError(job_id) from None  # deleted a moment ago
        except Refused:
            job = await self.get(caller, job_id)
            if job.status is not JobStatus.CANCELLED:
                raise JobAlreadyCompletedError(job_id, job.status) from None
            return job
        self._tally.wrote(job)
        self._relay.offer(job)
        return job

    async def delete(self, caller: Caller, job_id: str) -> None:
        """Deletes a job in any status: it is gone at once, and what it has stored follows.

        Raises:
            JobNotFoundError: There is none, or it was deleted before.
        """
        before = await self.get(caller, job_id)
        now = self._clock.now()

        def decide(current: JobDocument) -> Change[JobDocument]:
            nonlocal before
            before = current
            return delete(current, now)

        try:
            job = await transact(self._jobs, job_id, decide, known=before)
        except (NotFoundError, Refused):
            raise JobNotFoundError(job_id) from None  # somebody else was faster
        self._tally.deleted(before)
        self._quotas.deleted(before)
        self._relay.offer(job)
