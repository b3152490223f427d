"""The job store in a dictionary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from frameloom.common.adapters.memory.stores import MemoryCollection
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.ports.stores import JobRow


class MemoryJobStore(MemoryCollection[JobDocument]):
    """The job store in memory."""

    async def unrelayed(self) -> int:
        """How many jobs have unpublished events."""
        return len(self._where(lambda job: job.relay_due))

    async def insert(self, job: JobDocument) -> None:
        """Stores a new job."""
        self.held[job.id] = job

    async def get(self, key: str) -> JobDocument | None:
        """The job, or None: there is none, or it was deleted."""
        found = self.held.get(key)
        return None if found is None or found.status is JobStatus.DELETED else found

    async def with_tombstone(self, job_id: str) -> JobDocument | None:
        """The job, or what is left of a deleted one until it is purged."""
        return self.held.get(job_id)

    async def known(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids that belong to a job, or to what is left of one."""
        return {job_id for job_id in job_ids if job_id in self.held}

    async def between(
        self,
        *,
        tenant: str,
        status: JobStatus | None,
        since: datetime,
        before: datetime,
        skip: int,
        limit: int,
    ) -> list[JobDocument]:
        """A tenant's jobs that were created in this span, oldest first, as a list shows them."""
        shown = (set(JobStatus) if status is None else {status}) - {JobStatus.DELETED}
        found = self._where(
            lambda job: job.tenant == tenant and job.status in shown and since <= job.created_at < before
        )
        found.sort(key=lambda job: (job.created_at, job.id))
        return [_as_listed(job) for job in found[skip : skip + limit]]

    async def census(self) -> AsyncIterator[list[JobRow]]:
        """Every job of every tenant that is not deleted."""
        there = self._where(lambda job: job.status is not JobStatus.DELETED)
        yield [JobRow(job.id, job.tenant, job.status, job.created_at) for job in there]

    async def relay_due(self, limit: int) -> list[JobDocument]:
        """Jobs with unpublished events."""
        return self._where(lambda job: job.relay_due, limit)

    async def mark_relayed(self, relayed: Sequence[tuple[str, int]]) -> None:
        """Marks what is in Kafka."""
        for key, seq in relayed:
            if (job := self.held.get(key)) is not None and job.seq == seq:
                self.held[key] = job.model_copy(update={"relayed_seq": seq, "relay_due": False})

    async def unplanned(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Pending jobs that nobody has planned for a while."""
        since = self._clock.now() - timedelta(seconds=older_than_seconds)
        return self._where(
            lambda job: job.status is JobStatus.PENDING and not job.planned and job.created_at < since, limit
        )

    async def untidied(self, limit: int) -> list[JobDocument]:
        """Jobs that are over or deleted, and not tidied."""
        return self._where(lambda job: job.status.terminal and not job.tidied, limit)

    async def active_of_key(self, key_id: str) -> int:
        """How many jobs of an API key are pending or running."""
        return len(self._where(lambda job: job.key_id == key_id and not job.status.terminal))

    async def bytes_of_key(self, key_id: str) -> int:
        """How many bytes of media the jobs of an API key have."""
        found = self._where(lambda job: job.key_id == key_id and job.status is not JobStatus.DELETED)
        return sum(job.media.size_bytes for job in found)

    async def stopping(self, limit: int) -> list[JobDocument]:
        """Cancelled and deleted jobs that are not tidied."""
        ending = {JobStatus.CANCELLED, JobStatus.DELETED}
        return self._where(lambda job: job.status in ending and not job.tidied, limit)

    async def expired(self, before: datetime, limit: int) -> list[JobDocument]:
        """Jobs that were over before this time."""
        return self._where(
            lambda job: (
                job.status.terminal
                and job.status is not JobStatus.DELETED
                and job.completed_at is not None
                and job.completed_at < before
            ),
            limit,
        )

    async def purgeable(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Deleted jobs of a while ago that are swept from the bucket, with all events in Kafka."""
        since = self._clock.now() - timedelta(seconds=older_than_seconds)
        return self._where(
            lambda job: (
                job.status is JobStatus.DELETED
                and job.tidied
                and not job.relay_due
                and job.deleted_at is not None
                and job.deleted_at < since
            ),
            limit,
        )

    async def remove(self, job: JobDocument) -> bool:
        """Removes the document of a deleted job for good."""
        held = self.held.get(job.id)
        if held is None or held.rev != job.rev or held.status is not JobStatus.DELETED or held.relay_due:
            return False
        del self.held[job.id]
        return True

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, oldest change first."""
        found = self._where(lambda job: job.tenant == tenant and job.updated_at >= since)
        return sorted(found, key=lambda job: job.updated_at)[:limit]


def _as_listed(job: JobDocument) -> JobDocument:
    tasks = tuple(task.model_copy(update={"result": None, "failure": None}) for task in job.tasks)
    return job.model_copy(update={"events": (), "tasks": tasks, "segments": ()})
