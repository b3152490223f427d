"""Jobs that live without anybody working on them: their documents and event logs, by the real machines.

For tests that need events when they want them, many or few, and services that only tell of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Self

from frameloom.common.adapters.kafka import Kafka
from frameloom.common.adapters.mongo import Mongo, MongoJobStore
from frameloom.common.cas import transact
from frameloom.common.clock import SystemClock, new_id
from frameloom.common.documents import JobDocument, MediaRef, TaskDocument, TaskResult
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.relay import JobRelay
from frameloom.common.settings import KafkaSettings, MongoSettings
from support.deployment import Deployment


class Life:
    """One job with one task, that is claimed and given back as often as a test wants.

    Attributes:
        job: As it was written last.
    """

    def __init__(self, lives: Lives, job: JobDocument, task: TaskDocument) -> None:
        self.job = job
        self._lives = lives
        self._task = task

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job.id

    @property
    def ids(self) -> list[str]:
        """The ids of all its events so far."""
        return [f"{self.job.id}:{seq}" for seq in range(1, self.job.seq + 1)]

    async def grow(self, count: int, worker: str = "w") -> None:
        """So many further events, or one more."""
        end = self.job.seq + count
        while self.job.seq < end:
            now = self._lives.clock.now()
            machine, task = self._lives.machine, self._task
            if task.owner is None:
                change = machine.claim(task, attempt=task.attempt, worker=worker, now=now)
            else:
                change = machine.release(task, epoch=task.epoch, now=now)
            await self._fold(change.after)

    async def end(self) -> None:
        """The job completes."""
        if self._task.owner is None:
            await self.grow(1)
        result = TaskResult(epoch=self._task.epoch, manifest_key="-", artefacts=(), annotation_count=1)
        await self._fold(self._lives.machine.complete(self._task, result, self._lives.clock.now()).after)

    async def _fold(self, task: TaskDocument) -> None:
        decide = partial(jobs_machine.fold, tasks=[task], now=self._lives.clock.now())
        self.job = await transact(self._lives.jobs, self.job.id, decide, known=self.job)
        self._task = task.model_copy(update={"outbox": (), "pending_fold": False})
        self._lives.relay.offer(self.job)


class Lives:
    """Makes such jobs on a deployment's servers.

    Attributes:
        jobs: The real store.
        relay: The real relay, to the real broker.
    """

    def __init__(self, jobs: MongoJobStore, relay: JobRelay) -> None:
        self.jobs = jobs
        self.relay = relay
        self.clock = SystemClock()
        self.machine = TaskMachine(RetryPolicy(), 60.0, 60.0)

    @classmethod
    @asynccontextmanager
    async def on(cls, deployment: Deployment) -> AsyncIterator[Self]:
        """On the servers of a deployment."""
        own = deployment.environment
        async with AsyncExitStack() as stack:
            mongo = await stack.enter_async_context(
                Mongo.connected(
                    MongoSettings.model_validate(
                        {"uri": own["FRAMELOOM_MONGO_URI"], "database": own["FRAMELOOM_MONGO_DATABASE"]}
                    )
                )
            )
            kafka = Kafka(
                KafkaSettings(
                    bootstrap_servers=own["FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS"],
                    topic_prefix=own["FRAMELOOM_KAFKA_TOPIC_PREFIX"],
                    idempotent_producer=own.get("FRAMELOOM_KAFKA_IDEMPOTENT_PRODUCER") == "true",
                    partitions=int(own["FRAMELOOM_KAFKA_PARTITIONS"]),
                ),
                "tests",
            )
            await stack.enter_async_context(kafka.running())
            jobs = MongoJobStore(mongo)
            relay = JobRelay(jobs, kafka, kafka.topics.events)
            await stack.enter_async_context(relay.running())
            yield cls(jobs, relay)

    async def begin(self) -> Life:
        """A new job, planned."""
        job_id, now = new_id(), self.clock.now()
        media = MediaRef(key=f"media/{job_id}/source", filename="a.mp4", size_bytes=1, sha256="0" * 64)
        job = jobs_machine.submit(
            jobs_machine.Submission(job_id, "default", media, ("scene_detection",), {}), now
        )
        await self.jobs.insert(job)
        self.relay.offer(job)
        (task,) = jobs_machine.plan_tasks(job, now)
        decide = partial(jobs_machine.planned, tasks=[task], now=now)
        return Life(self, await transact(self.jobs, job_id, decide, known=job), task)
