"""Jobs whose state machines run without any work between, through the real store, relay and broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from frameloom.common.adapters.kafka import Kafka
from frameloom.common.adapters.mongo import Mongo, MongoJobStore
from frameloom.common.cas import transact
from frameloom.common.clock import Clock, SystemClock, new_id
from frameloom.common.documents import JobDocument, MediaRef, TaskDocument, TaskResult
from frameloom.common.events import Event, JobEventMessage
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.relay import JobRelay
from frameloom.common.settings import KafkaSettings, MongoSettings

_PIPELINE = "scene_detection"
_END_EVENTS = 2
"""``task.completed`` and ``job.completed`` come together."""


@dataclass(frozen=True, slots=True)
class Sent:
    """When an event was made, by the wall clock in seconds: decided, and in the database."""

    decided: float
    written: float


class _Stamping:
    """Notes when each event is given to the broker."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.times: dict[tuple[str, int], float] = {}

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        """Sends it."""
        if isinstance(event, JobEventMessage):
            self.times.setdefault((event.job_id, event.seq), time.time())
        await self._kafka.publish(event, topic, partition=partition)


@dataclass(slots=True)
class _Run:
    """One job under way, with its only task."""

    job: JobDocument
    task: TaskDocument


@dataclass(slots=True)
class Publisher:
    """Makes jobs and lets them live.

    Attributes:
        sent: By job, by sequence, when the event was made.
        published: By job and sequence, when it was given to the broker.
    """

    store: MongoJobStore
    relay: JobRelay
    published: dict[tuple[str, int], float]
    clock: Clock = field(default_factory=SystemClock)
    machine: TaskMachine = field(default_factory=lambda: TaskMachine(RetryPolicy(), 60.0, 60.0))
    sent: dict[str, dict[int, Sent]] = field(default_factory=dict)
    _runs: dict[str, _Run] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def connected(cls, environment: Mapping[str, str]) -> AsyncIterator[Self]:
        """A publisher on the servers that the environment leads to."""
        async with AsyncExitStack() as stack:
            uri, database = environment["FRAMELOOM_MONGO_URI"], environment["FRAMELOOM_MONGO_DATABASE"]
            mongo = await stack.enter_async_context(
                Mongo.connected(MongoSettings.model_validate({"uri": uri, "database": database}))
            )
            kafka = Kafka(
                KafkaSettings(
                    bootstrap_servers=environment["FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS"],
                    idempotent_producer=False,
                ),
                "benchmark",
            )
            await stack.enter_async_context(kafka.running())
            store = MongoJobStore(mongo)
            stamping = _Stamping(kafka)
            relay = JobRelay(store, stamping, kafka.topics.events)
            await stack.enter_async_context(relay.running())
            yield cls(store, relay, stamping.times)

    @property
    def jobs(self) -> list[str]:
        """The ids of all jobs."""
        return list(self._runs)

    async def submit(self, count: int) -> None:
        """Makes so many jobs, with their first event, planned."""
        for _ in range(count):
            job_id, now = new_id(), self.clock.now()
            media = MediaRef(key=f"media/{job_id}/source", filename="a.mp4", size_bytes=1, sha256="0" * 64)
            job = jobs_machine.submit(
                jobs_machine.Submission(job_id, "default", media, (_PIPELINE,), {}), now
            )
            await self.store.insert(job)
            self.relay.offer(job)
            self.sent[job_id] = {1: Sent(now.timestamp(), time.time())}
            (task,) = jobs_machine.plan_tasks(job, now)
            job = await transact(
                self.store, job_id, partial(jobs_machine.planned, tasks=[task], now=now), known=job
            )
            self._runs[job_id] = _Run(job, task)

    async def publish(self, events: int, every_seconds: float) -> None:
        """Lets each job live through about so many events, evenly spread, up to its end."""
        count = len(self._runs)
        async with asyncio.TaskGroup() as group:
            for number, run in enumerate(self._runs.values()):
                group.create_task(self._live(run, events, every_seconds, number / count * every_seconds))

    async def _live(self, run: _Run, events: int, every_seconds: float, delay: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if run.job.seq >= events - _END_EVENTS and run.task.owner is not None:
                break
            await self._fold(run, self._step(run.task))
            due += every_seconds
        result = TaskResult(epoch=run.task.epoch, manifest_key="-", artefacts=(), annotation_count=3)
        await self._fold(run, self.machine.complete(run.task, result, self.clock.now()).after)

    def _step(self, task: TaskDocument) -> TaskDocument:
        """A worker takes the task, or gives it back: as many events as one likes."""
        now = self.clock.now()
        if task.owner is None:
            return self.machine.claim(task, attempt=task.attempt, worker="worker", now=now).after
        return self.machine.release(task, epoch=task.epoch, now=now).after

    async def _fold(self, run: _Run, task: TaskDocument) -> None:
        now = self.clock.now()
        known = run.job.seq
        decide = partial(jobs_machine.fold, tasks=[task], now=now)
        run.job = await transact(self.store, run.job.id, decide, known=run.job)
        written = time.time()
        run.task = task.model_copy(update={"outbox": (), "pending_fold": False})
        for seq in range(known + 1, run.job.seq + 1):
            self.sent[run.job.id][seq] = Sent(now.timestamp(), written)
        self.relay.offer(run.job)
