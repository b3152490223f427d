"""Reading, listing and cancelling jobs."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.errors import JobNotFoundError
from frameloom.common.machines.job import request_cancel
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import JobStore
from frameloom.common.relay import JobRelay
from frameloom.gateway.errors import JobAlreadyCompletedError
from frameloom.gateway.services.caller import Caller


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

    def __init__(self, jobs: JobStore, relay: JobRelay, clock: Clock) -> None:
        self._jobs = jobs
        self._relay = relay
        self._clock = clock

    async def get(self, caller: Caller, job_id: str) -> JobDocument:
        """One job.

        Raises:
            JobNotFoundError: There is none of this id, or it is not the caller's.
        """
        job = await self._jobs.get(job_id)
        if job is None or job.tenant != caller.tenant:
            raise JobNotFoundError(job_id)
        return job

    async def placed(self, job: JobDocument) -> Placed:
        """The job with its place in the queue."""
        return Placed(job, await self._position(job))

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
            if status not in set(JobStatus):
                return Page((), 0)
            wanted = JobStatus(status)
        found = await self._jobs.page(
            tenant=caller.tenant, status=wanted, skip=(page - 1) * per_page, limit=per_page
        )
        positions = await self._positions([job for job in found.jobs if job.status is JobStatus.PENDING])
        return Page(tuple(Placed(job, positions.get(job.id)) for job in found.jobs), found.total)

    async def cancel(self, caller: Caller, job_id: str) -> JobDocument:
        """Cancels a job at once; its running tasks stop at their next lease renewal.

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
        except Refused:
            job = await self.get(caller, job_id)
            if job.status is not JobStatus.CANCELLED:
                raise JobAlreadyCompletedError(job_id, job.status) from None
            return job
        self._relay.offer(job)
        return job

    async def _position(self, job: JobDocument) -> int | None:
        return await self._jobs.queue_position(job) if job.status is JobStatus.PENDING else None

    async def _positions(self, pending: list[JobDocument]) -> dict[str, int]:
        """Two counts say it all when nobody else's job stands between those of the page."""
        if not pending:
            return {}
        first = await self._jobs.queue_position(pending[0])
        last = first if len(pending) == 1 else await self._jobs.queue_position(pending[-1])
        if last - first == len(pending) - 1:
            return {job.id: first + place for place, job in enumerate(pending)}
        return {job.id: await self._jobs.queue_position(job) for job in pending}
