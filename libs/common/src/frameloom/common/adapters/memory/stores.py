"""The document stores in dictionaries, with a clock of their own for leases and backoffs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from frameloom.common.clock import Clock
from frameloom.common.documents import (
    FleetMember,
    PipelineOffer,
    TaskDocument,
    TaskState,
)
from frameloom.common.documents.base import Document
from frameloom.common.machines.transition import Change, Guard
from frameloom.common.ports.stores import Backlog

D = TypeVar("D", bound=Document)


class MemoryCollection(Generic[D]):
    """Documents of one kind that change by compare-and-set."""

    def __init__(self, clock: Clock) -> None:
        self.held: dict[str, D] = {}
        self._clock = clock

    async def get(self, key: str) -> D | None:
        """The document, or None."""
        return self.held.get(key)

    async def apply(self, change: Change[D]) -> D | None:
        """Writes a change if the document is still as it was and the guard holds."""
        current = self.held.get(change.before.id)
        if current is None or current.rev != change.before.rev or not self._holds(change.guard, current):
            return None
        stamps: dict[str, object] = {}
        if change.lease_seconds is not None:
            stamps["lease_until"] = self._clock.now() + timedelta(seconds=change.lease_seconds)
        if change.delay_seconds is not None:
            stamps["next_eligible_at"] = self._clock.now() + timedelta(seconds=change.delay_seconds)
        # What a relay has emptied meanwhile must not come back: only the new entries are added.
        for name in ("outbox", "events"):
            if hasattr(change.after, name):
                new = getattr(change.after, name)[len(getattr(change.before, name)) :]
                stamps[name] = (*getattr(current, name), *new)
        after = change.after.model_copy(update=stamps)
        self.held[after.id] = after
        return after

    def _holds(self, guard: Guard | None, current: D) -> bool:
        if guard is Guard.LEASE_EXPIRED:
            return self._past(getattr(current, "lease_until", None))
        if guard is Guard.ELIGIBLE:
            due = getattr(current, "next_eligible_at", None)
            return due is None or self._past(due)
        return True

    def _past(self, moment: datetime | None) -> bool:
        return moment is not None and moment < self._clock.now()

    def _where(self, wanted: Callable[[D], bool], limit: int | None = None) -> list[D]:
        return [document for document in self.held.values() if wanted(document)][:limit]


class MemoryTaskStore(MemoryCollection[TaskDocument]):
    """The task store in memory."""

    async def backlog(self) -> Backlog:
        """How many tasks are not over, over all tenants."""
        live = self._where(lambda task: not task.state.terminal)
        tasks = dict(Counter((task.pipeline, task.state) for task in live))
        return Backlog(tasks, len(self._where(lambda task: task.pending_fold)))

    async def ends(self) -> dict[TaskState, int]:
        """How many tasks ended each way, over all tenants."""
        found = Counter(task.state for task in self.held.values())
        return {state: found[state] for state in TaskState if state.terminal}

    async def annotations_total(self) -> int:
        """How many annotations all visible results have."""
        return sum(task.result.annotation_count for task in self.held.values() if task.result)

    async def insert_missing(self, tasks: Sequence[TaskDocument]) -> None:
        """Stores new tasks."""
        for task in tasks:
            self.held.setdefault(task.id, task)

    async def of_job(self, job_id: str) -> list[TaskDocument]:
        """All tasks of a job."""
        return self._where(lambda task: task.job_id == job_id)

    async def remove_of_job(self, job_id: str) -> None:
        """Removes all tasks of a job for good."""
        for task in await self.of_job(job_id):
            del self.held[task.id]

    async def pending_fold(self, limit: int) -> list[TaskDocument]:
        """Tasks with events that their job has not seen."""
        return self._where(lambda task: task.pending_fold, limit)

    async def mark_folded(self, folded: Sequence[tuple[str, int]]) -> None:
        """Empties outboxes."""
        for key, rev in folded:
            if (task := self.held.get(key)) is not None and task.rev == rev:
                self.held[key] = task.model_copy(update={"outbox": (), "pending_fold": False})

    async def lease_expired(self, limit: int) -> list[TaskDocument]:
        """Tasks whose lease has run out."""
        return self._where(lambda task: task.state.leased and self._past(task.lease_until), limit)

    async def waiting(self, pipeline: str, limit_per_tenant: int) -> list[TaskDocument]:
        """Eligible, undispatched tasks: each tenant's first ones."""
        found = self._where(
            lambda task: (
                task.state is TaskState.QUEUED
                and task.pipeline == pipeline
                and task.dispatched_at is None
                and self._holds(Guard.ELIGIBLE, task)
            )
        )
        found.sort(key=lambda task: (-task.priority, task.created_at, task.id))
        taken: Counter[str] = Counter()
        first: list[TaskDocument] = []
        for task in found:
            taken[task.tenant] += 1
            if taken[task.tenant] <= limit_per_tenant:
                first.append(task)
        return first

    async def waiting_pipelines(self) -> set[str]:
        """Pipelines that have queued tasks."""
        return {task.pipeline for task in self._where(lambda task: task.state is TaskState.QUEUED)}

    async def unclaimed(self, pipeline: str) -> list[TaskDocument]:
        """Queued tasks whose message is out."""
        return self._where(
            lambda task: (
                task.state is TaskState.QUEUED
                and task.pipeline == pipeline
                and task.dispatched_at is not None
            )
        )

    async def running_by_owner(self) -> dict[str, int]:
        """How many slots of each worker are taken: tasks that share another's slot do not count."""
        running = self._where(lambda task: task.state is TaskState.RUNNING and task.led_by is None)
        return _count(task.owner for task in running)

    async def running_by_tenant(self, pipeline: str) -> dict[str, int]:
        """How many tasks of a pipeline run, by tenant."""
        return _count(
            task.tenant
            for task in self._where(
                lambda task: task.state is TaskState.RUNNING and task.pipeline == pipeline
            )
        )


class MemoryFleetStore:
    """The fleet store in memory."""

    def __init__(self, clock: Clock, live_within_seconds: float) -> None:
        self._clock = clock
        self._live_within = timedelta(seconds=live_within_seconds)
        self._members: dict[str, FleetMember] = {}
        self._offers: dict[str, PipelineOffer] = {}

    async def announce(self, member: FleetMember) -> None:
        """Says that a process lives."""
        self._members[member.id] = member.model_copy(update={"seen_at": self._clock.now()})

    async def leave(self, member_id: str) -> None:
        """The process ends in order."""
        self._members.pop(member_id, None)

    async def live(self) -> list[FleetMember]:
        """Processes seen lately."""
        since = self._clock.now() - self._live_within
        return [m for m in self._members.values() if m.seen_at is not None and m.seen_at > since]

    async def last_seen(self) -> dict[str, datetime]:
        """By pipeline, when a worker that runs it was seen last."""
        seen = [(name, m.seen_at) for m in self._members.values() if m.seen_at for name in m.pipelines]
        return dict(sorted(seen, key=lambda item: item[1]))

    async def offer(self, offers: Sequence[PipelineOffer]) -> None:
        """Says which pipelines there are."""
        self._offers.update({offer.id: offer for offer in offers})

    async def offers(self) -> list[PipelineOffer]:
        """Every pipeline that was ever offered, by name."""
        return [self._offers[name] for name in sorted(self._offers)]


def _count(keys: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(str(key) for key in keys))
