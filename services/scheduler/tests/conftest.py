"""A scheduler over stores in memory, with a clock that stands still."""

from __future__ import annotations

from functools import partial

import pytest

from frameloom.common.adapters.memory import (
    MemoryFleetStore,
    MemoryJobStore,
    MemoryPublisher,
    MemoryTaskStore,
)
from frameloom.common.cas import transact
from frameloom.common.clock import ManualClock, task_id
from frameloom.common.documents import FleetMember, JobDocument, MediaRef, Service, TaskDocument
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.relay import JobRelay
from frameloom.common.topics import Topics
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.dispatcher import Dispatcher
from frameloom.scheduler.folder import Folder
from frameloom.scheduler.handlers import Handlers
from frameloom.scheduler.planner import Planner
from frameloom.scheduler.segmentations import Segmentations
from frameloom.scheduler.settings import SchedulerSettings
from frameloom.scheduler.stitches import Stitches
from frameloom.scheduler.sweeper import Sweeper

LEASE_SECONDS = 15.0


class World:
    """The scheduler's parts over one set of stores; replace a store before the first use of a part."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.jobs = MemoryJobStore(self.clock)
        self.tasks = MemoryTaskStore(self.clock)
        self.fleet = MemoryFleetStore(self.clock, live_within_seconds=1e9)
        self.publisher = MemoryPublisher()
        self.topics = Topics("x")
        self.machine = TaskMachine(RetryPolicy(jitter=lambda: 1.0), LEASE_SECONDS, 60.0)
        self.settings = SchedulerSettings(
            sweep_every_seconds=0.01, dispatch_every_seconds=60, redispatch_after_seconds=5
        )

    @property
    def relay(self) -> JobRelay:
        return JobRelay(self.jobs, self.publisher, self.topics.events)

    @property
    def canceller(self) -> Canceller:
        control = self.topics.control
        return Canceller(self.jobs, self.tasks, self.publisher, control, self.machine, self.clock)

    @property
    def planner(self) -> Planner:
        segmentations = Segmentations(self.fleet, self.settings.segment_limits, self.clock)
        return Planner(self.jobs, self.tasks, segmentations, self.canceller, self.clock)

    @property
    def stitches(self) -> Stitches:
        return Stitches(self.tasks, self.canceller, self.machine, self.clock)

    @property
    def folder(self) -> Folder:
        dead_letters = self.topics.dead_letters
        return Folder(
            self.jobs,
            self.tasks,
            self.relay,
            self.canceller,
            self.stitches,
            self.publisher,
            dead_letters,
            self.clock,
        )

    @property
    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.tasks, self.fleet, self.publisher, self.topics, self.machine, self.settings, self.clock
        )

    @property
    def handlers(self) -> Handlers:
        return Handlers(self.planner, self.canceller, self.folder, self.dispatcher)

    def sweeper(self, dispatcher: Dispatcher | None = None) -> Sweeper:
        return Sweeper(
            self.jobs,
            self.tasks,
            self.machine,
            self.planner,
            self.canceller,
            self.folder,
            dispatcher or self.dispatcher,
            self.relay,
            self.settings,
            self.clock,
        )

    async def submit(
        self, job_id: str = "j", pipelines: tuple[str, ...] = ("a",), *, tenant: str = "t", priority: int = 0
    ) -> JobDocument:
        media = MediaRef(key=f"media/{job_id}/source", filename="a.mp4", size_bytes=1, sha256="00")
        submission = jobs_machine.Submission(job_id, tenant, media, pipelines, {}, priority)
        job = jobs_machine.submit(submission, self.clock.now())
        await self.jobs.insert(job)
        return job

    async def submit_and_plan(self, *args: object, **kwargs: object) -> JobDocument:
        job = await self.submit(*args, **kwargs)  # type: ignore[arg-type]
        assert await self.planner.plan(job.id)
        return job

    async def worker(
        self, name: str = "w", slots: int = 1, pipelines: tuple[str, ...] = ("a",), partitions: int = 0
    ) -> None:
        owned = {self.topics.tasks(p): (partitions,) for p in pipelines}
        await self.fleet.announce(
            FleetMember(
                id=name,
                service=Service.WORKER,
                host="h",
                pid=1,
                version="1",
                started_at=self.clock.now(),
                slots=slots,
                pipelines=pipelines,
                assignment=owned,
            )
        )

    async def cancel(self, job_id: str = "j") -> None:
        await transact(self.jobs, job_id, partial(jobs_machine.request_cancel, now=self.clock.now()))

    async def delete(self, job_id: str = "j") -> None:
        await transact(self.jobs, job_id, partial(jobs_machine.delete, now=self.clock.now()))

    async def claim(self, job_id: str = "j", pipeline: str = "a", worker: str = "w") -> TaskDocument:
        task = self.task(job_id, pipeline)
        decide = partial(self.machine.claim, attempt=task.attempt, worker=worker, now=self.clock.now())
        return await transact(self.tasks, task.id, decide)

    def task(self, job_id: str = "j", pipeline: str = "a") -> TaskDocument:
        return self.tasks.held[task_id(job_id, pipeline)]

    def job(self, job_id: str = "j") -> JobDocument:
        return self.jobs.held[job_id]


@pytest.fixture
def world() -> World:
    return World()
