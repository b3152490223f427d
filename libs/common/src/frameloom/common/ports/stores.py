"""What the services need of the document database. Every query of a collection has its name here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from frameloom.common.documents import (
    ApiKey,
    FleetMember,
    JobDocument,
    JobStatus,
    PipelineOffer,
    TaskDocument,
    Upload,
)
from frameloom.common.documents.task import TaskState
from frameloom.common.machines.transition import Change


class JobRow(NamedTuple):
    """What a census tells of a job."""

    id: str
    tenant: str
    status: JobStatus
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """Tasks that are not over, and what waits to be passed on.

    Attributes:
        tasks: How many there are, by pipeline and state.
        unfolded: Tasks with events that their job has not seen: near none, while a scheduler lives.
    """

    tasks: dict[tuple[str, TaskState], int]
    unfolded: int


class JobStore(Protocol):
    """The jobs."""

    async def unrelayed(self) -> int:
        """How many jobs have events that are not known to be in Kafka: near none, while a scheduler lives."""
        ...

    async def insert(self, job: JobDocument) -> None:
        """Stores a new job, durably."""
        ...

    async def get(self, job_id: str) -> JobDocument | None:
        """The job, or None: there is none, or it was deleted."""
        ...

    async def with_tombstone(self, job_id: str) -> JobDocument | None:
        """The job, or what is left of a deleted one until it is purged."""
        ...

    async def known(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids that belong to a job, or to what is left of one."""
        ...

    async def apply(self, change: Change[JobDocument]) -> JobDocument | None:
        """Writes a change if the job is still as it was. None: it is not; decide again."""
        ...

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
        """A tenant's jobs that were created since one time and before another, oldest first.

        They come as a list shows them: without their event logs, and their tasks without what they brought.
        Deleted ones are not among them.
        Cost: the jobs of the span, however many there are beside it.
        """
        ...

    def census(self) -> AsyncIterator[list[JobRow]]:
        """Every job of every tenant that is not deleted, in no order, some hundreds at a time. Cost: all."""
        ...

    async def relay_due(self, limit: int) -> list[JobDocument]:
        """Jobs with events that are not known to be in Kafka."""
        ...

    async def mark_relayed(self, relayed: Sequence[tuple[str, int]]) -> None:
        """(job id, sequence) pairs: everything up to the sequence is in Kafka."""
        ...

    async def unplanned(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Pending jobs that nobody has planned for a while."""
        ...

    async def untidied(self, limit: int) -> list[JobDocument]:
        """Jobs that are over or deleted, and whose leftovers may still lie in the bucket."""
        ...

    async def stopping(self, limit: int) -> list[JobDocument]:
        """Cancelled and deleted jobs that are not tidied: tasks of theirs may still run."""
        ...

    async def expired(self, before: datetime, limit: int) -> list[JobDocument]:
        """Jobs that were over before this time."""
        ...

    async def purgeable(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Deleted jobs of a while ago that are swept from the bucket, with all events in Kafka."""
        ...

    async def remove(self, job: JobDocument) -> bool:
        """Removes a deleted job's document for good. False: it has changed, or an event is not in Kafka."""
        ...

    async def active_of_key(self, key_id: str) -> int:
        """How many jobs of an API key are pending or running."""
        ...

    async def bytes_of_key(self, key_id: str) -> int:
        """How many bytes of media the jobs of an API key have, those of deleted ones not counted."""
        ...

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, with their event logs, oldest change first.

        Deleted jobs are among them until they are purged: who watches all jobs must hear of the deletion.
        """
        ...


class TaskStore(Protocol):
    """The tasks."""

    async def backlog(self) -> Backlog:
        """How many tasks are not over, over all tenants; takes longer the more there are."""
        ...

    async def ends(self) -> dict[TaskState, int]:
        """How many tasks ended each way, over all tenants; takes longer the more there are."""
        ...

    async def annotations_total(self) -> int:
        """How many annotations all visible results have; takes longer the more there are."""
        ...

    async def insert_missing(self, tasks: Sequence[TaskDocument]) -> None:
        """Stores new tasks; those already there stay as they are."""
        ...

    async def get(self, task_id: str) -> TaskDocument | None:
        """The task, or None."""
        ...

    async def apply(self, change: Change[TaskDocument]) -> TaskDocument | None:
        """Writes a change if the task is still as it was and the guard holds. None: it did not."""
        ...

    async def of_job(self, job_id: str) -> list[TaskDocument]:
        """All tasks of a job."""
        ...

    async def remove_of_job(self, job_id: str) -> None:
        """Removes all tasks of a job for good."""
        ...

    async def pending_fold(self, limit: int) -> list[TaskDocument]:
        """Tasks with events that their job has not seen."""
        ...

    async def mark_folded(self, folded: Sequence[tuple[str, int]]) -> None:
        """(task id, rev) pairs: if a task is still at this rev, its outbox is empty now."""
        ...

    async def lease_expired(self, limit: int) -> list[TaskDocument]:
        """Tasks whose lease has run out, by the database's clock."""
        ...

    async def waiting(self, pipeline: str, limit_per_tenant: int) -> list[TaskDocument]:
        """Queued tasks of a pipeline that are eligible and not dispatched: each tenant's first ones."""
        ...

    async def waiting_pipelines(self) -> set[str]:
        """Pipelines that have queued tasks."""
        ...

    async def unclaimed(self, pipeline: str) -> list[TaskDocument]:
        """Queued tasks of a pipeline whose message is out and has led to no claim yet."""
        ...

    async def running_by_owner(self) -> dict[str, int]:
        """How many slots of each worker are taken: tasks that share another's slot do not count."""
        ...

    async def running_by_tenant(self, pipeline: str) -> dict[str, int]:
        """How many tasks of a pipeline run, by tenant."""
        ...


class FleetStore(Protocol):
    """The announcements of processes and pipelines."""

    async def announce(self, member: FleetMember) -> None:
        """Says that a process lives; the database stamps the time."""
        ...

    async def leave(self, member_id: str) -> None:
        """The process ends in order."""
        ...

    async def live(self) -> list[FleetMember]:
        """Processes seen lately, by the database's clock."""
        ...

    async def last_seen(self) -> dict[str, datetime]:
        """By pipeline, when a worker that runs it was seen last; of those that are not forgotten."""
        ...

    async def offer(self, offers: Sequence[PipelineOffer]) -> None:
        """Says which pipelines there are."""
        ...

    async def offers(self) -> list[PipelineOffer]:
        """Every pipeline that was ever offered, by name."""
        ...


class KeyStore(Protocol):
    """The API keys."""

    async def insert(self, key: ApiKey) -> bool:
        """Stores a new key. False: there is one of this id or of this hash already; nothing was written."""
        ...

    async def get(self, key_id: str) -> ApiKey | None:
        """The key, or None."""
        ...

    async def find(self, hashes: Sequence[str]) -> ApiKey | None:
        """The key that has one of these hashes."""
        ...

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """A tenant's keys, oldest first; None: everybody's."""
        ...

    async def any(self) -> bool:
        """Whether there is a key at all, working or not."""
        ...

    async def apply(self, change: Change[ApiKey]) -> ApiKey | None:
        """Writes a change if the key is still as it was. None: it is not; decide again."""
        ...

    async def touch(self, key_id: str, used_at: datetime, every_seconds: float) -> None:
        """Notes a use, unless one was noted less than this long before. No new revision."""
        ...


class SecretStore(Protocol):
    """What the server made up for itself and has to find again."""

    async def ensure(self, name: str, value: str) -> str:
        """Stores a value under a name that has none, and answers what stands there now."""
        ...

    async def get(self, name: str) -> str | None:
        """What stands there."""
        ...


class OpenUploads(NamedTuple):
    """Uploads that are neither a job yet nor refused."""

    number: int
    length_bytes: int


class UploadStore(Protocol):
    """Uploads that come in parts."""

    async def insert(self, upload: Upload) -> None:
        """Stores a new upload, durably."""
        ...

    async def get(self, upload_id: str) -> Upload | None:
        """The upload, or None."""
        ...

    async def apply(self, change: Change[Upload]) -> Upload | None:
        """Writes a change if the upload is still as it was and the guard holds. None: it did not."""
        ...

    async def delete(self, upload_id: str) -> None:
        """Forgets an upload; one that is not there counts as forgotten."""
        ...

    async def open_of(self, account: str | None, tenant: str) -> OpenUploads:
        """How many uploads of a key's account are not over, and the bytes that they declared.

        None: those that a tenant began without a key.
        """
        ...

    async def left_unexamined(self, limit: int) -> list[Upload]:
        """Uploads whose bytes are all there and which nobody examines: nobody has a lease on them."""
        ...

    async def expired(self, now: datetime, limit: int) -> list[Upload]:
        """Uploads whose time is over."""
        ...
