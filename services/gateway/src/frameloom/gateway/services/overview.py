"""The state of the whole installation at one moment, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from frameloom.common.documents import FleetMember, JobStatus, Liveness, PipelineOffer, Service, TaskState
from frameloom.common.documents.facts import (
    GatewayFacts,
    GpuFacts,
    SchedulerFacts,
    SlotFacts,
    SlotState,
    WorkTally,
)
from frameloom.common.ports.stores import Backlog

_FULL_PERCENT = 90.0


class ServiceState(StrEnum):
    """How a service of the fleet is."""

    HEALTHY = "healthy"
    DRAINING = "draining"
    """It has processes, and all of them are ending."""
    MISSING = "missing"


class Verdict(StrEnum):
    """How it all is, in one word."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """Jobs are accepted, but wait: a service is missing. Or something will go wrong soon."""
    UNHEALTHY = "unhealthy"
    """A server does not answer."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """Whether a server answers.

    Attributes:
        message: For everybody.
        seconds: How long it took; None: it did not.
        reason: Why it did not, for admins: it may name addresses.
    """

    ok: bool
    message: str
    seconds: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The processes that live, and the pipelines that were offered."""

    members: tuple[FleetMember, ...]
    offers: tuple[PipelineOffer, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and the worker that told of it first."""

    facts: GpuFacts
    member: FleetMember


@dataclass(frozen=True, slots=True)
class FullestDisk:
    """The disk that has the least room, in percent.

    Attributes:
        service: Of the process that writes to it.
        percent: How full it is.
    """

    service: str
    percent: float

    @property
    def full(self) -> bool:
        """Whether somebody should make room."""
        return self.percent >= _FULL_PERCENT


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the whole installation; None and empty: not known now.

    Attributes:
        at: When it was told.
        me: This gateway.
        announced: The database has this gateway's announcement, so it was written to not long ago.
        members: Every live process, this one first.
        offers: The pipelines that were offered.
        servers: Database, storage and broker.
        jobs: How many jobs there are of each status, of all tenants.
        backlog: Tasks that are not over, of all tenants.
        unrelayed: Jobs with events that are not in Kafka.
    """

    at: datetime
    me: FleetMember
    announced: bool
    members: tuple[FleetMember, ...]
    offers: tuple[PipelineOffer, ...]
    servers: Mapping[str, ServerState]
    jobs: Mapping[JobStatus, int] | None
    backlog: Backlog | None
    unrelayed: int | None

    def of(self, service: Service) -> list[FleetMember]:
        """The processes of a service."""
        return [member for member in self.members if member.service is service]

    def state(self, service: Service) -> ServiceState:
        """How a service is."""
        own = self.of(service)
        if any(member.liveness is Liveness.HEALTHY for member in own):
            return ServiceState.HEALTHY
        return ServiceState.DRAINING if own else ServiceState.MISSING

    @property
    def slots(self) -> list[tuple[FleetMember, SlotFacts]]:
        """Every slot of every worker that lives."""
        return [
            (member, slot)
            for member in self.of(Service.WORKER)
            if member.facts.worker is not None
            for slot in member.facts.worker.slots
        ]

    @property
    def capacity(self) -> int:
        """How many tasks can run at once: the slots of workers that are not ending."""
        return sum(m.slots for m in self.of(Service.WORKER) if m.liveness is Liveness.HEALTHY)

    @property
    def busy(self) -> list[tuple[FleetMember, SlotFacts]]:
        """The slots that run a task."""
        return [(member, slot) for member, slot in self.slots if slot.state is SlotState.BUSY]

    @property
    def active_jobs(self) -> list[str]:
        """Ids of the jobs that some worker works on now."""
        return sorted({slot.job_id for _, slot in self.busy if slot.job_id is not None})

    @property
    def gpus(self) -> list[Gpu]:
        """Every GPU once: workers of one machine tell of the same ones."""
        found: dict[str, Gpu] = {}
        for member in self.of(Service.WORKER):
            for gpu in member.facts.worker.gpus if member.facts.worker else ():
                found.setdefault(gpu.uuid, Gpu(gpu, member))
        return list(found.values())

    @property
    def gateways(self) -> list[GatewayFacts]:
        """What each gateway has answered."""
        return [m.facts.gateway for m in self.of(Service.GATEWAY) if m.facts.gateway is not None]

    @property
    def schedulers(self) -> list[SchedulerFacts]:
        """What each scheduler tells."""
        return [m.facts.scheduler for m in self.of(Service.SCHEDULER) if m.facts.scheduler is not None]

    @property
    def running(self) -> frozenset[str]:
        """The pipelines that a worker runs that is not ending."""
        workers = (m for m in self.of(Service.WORKER) if m.liveness is Liveness.HEALTHY)
        return frozenset(name for member in workers for name in member.pipelines)

    @property
    def queued_tasks(self) -> int | None:
        """Tasks that wait for a worker."""
        if self.backlog is None:
            return None
        return sum(n for (_, state), n in self.backlog.tasks.items() if state is TaskState.QUEUED)

    @property
    def work(self) -> dict[str, WorkTally]:
        """What the live workers have done since they started, by pipeline."""
        return added(m.facts.worker.work for m in self.of(Service.WORKER) if m.facts.worker is not None)

    @property
    def pending_jobs(self) -> int | None:
        """Jobs of which no task was started."""
        return None if self.jobs is None else self.jobs.get(JobStatus.PENDING, 0)

    @property
    def fullest_disk(self) -> FullestDisk | None:
        """Of those that processes write to."""
        disks = [
            FullestDisk(member.service.value, member.facts.host.disk.percent)
            for member in self.members
            if member.facts.host is not None and member.facts.host.disk is not None
        ]
        return max(disks, key=lambda disk: disk.percent, default=None)

    @property
    def verdict(self) -> Verdict:
        """How it all is."""
        if not all(state.ok for state in self.servers.values()):
            return Verdict.UNHEALTHY
        return Verdict.DEGRADED if self.problems() else Verdict.HEALTHY

    def problems(self) -> list[str]:
        """What is wrong, in sentences; the first are those without which nothing works."""
        found = [state.message for state in self.servers.values() if not state.ok]
        for service in Service:
            state = self.state(service)
            if state is not ServiceState.HEALTHY:
                has = "no live process" if state is ServiceState.MISSING else "only processes that end"
                found.append(f"The service {service.value} has {has}: accepted jobs wait for it")
        disk = self.fullest_disk
        if disk is not None and disk.full:
            found.append(f"The disk of a {disk.service} is {disk.percent:.0f} % full")
        return found


def added(works: Iterable[Mapping[str, WorkTally]]) -> dict[str, WorkTally]:
    """Sums by pipeline."""
    found: dict[str, WorkTally] = {}
    for work in works:
        for pipeline, tally in work.items():
            known = found.get(pipeline, WorkTally())
            sums = {name: getattr(known, name) + getattr(tally, name) for name in WorkTally.model_fields}
            found[pipeline] = WorkTally(**sums)
    return found


def mean_task_seconds(work: Mapping[str, WorkTally]) -> float | None:
    """The mean time that a completed task took its worker; None: none was completed."""
    count = sum(tally.completed for tally in work.values())
    return sum(tally.seconds for tally in work.values()) / count if count else None
