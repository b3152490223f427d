"""What a worker may write about a task: claim, sign of life, hand-over, failure, give-back."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import Failure, TaskDocument
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.events import TaskChanged, TaskDispatched
from frameloom.common.machines.task import TaskMachine, shares_decode
from frameloom.common.machines.transition import Change, Refused
from frameloom.common.pipelines import Progress
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.stores import TaskStore

_TELL_SECONDS = 1.0
log = structlog.get_logger(__name__)


class Claims:
    """The worker's side of the claim–commit–lease protocol. Each answer None means: not ours (any more)."""

    def __init__(
        self,
        tasks: TaskStore,
        publisher: Publisher,
        topic: str,
        machine: TaskMachine,
        worker: str,
        clock: Clock,
    ) -> None:
        self._tasks = tasks
        self._publisher = publisher
        self._topic = topic
        self._machine = machine
        self._worker = worker
        self._clock = clock

    @property
    def lease_seconds(self) -> float:
        """How long a claim holds without a renewal."""
        return self._machine.lease_seconds

    async def claim(self, message: TaskDispatched) -> TaskDocument | None:
        """Takes the task of a message. None: stale or duplicate, to be dropped."""
        try:
            task = await transact(
                self._tasks,
                message.task_id,
                partial(
                    self._machine.claim,
                    attempt=message.attempt,
                    worker=self._worker,
                    now=self._clock.now(),
                ),
            )
        except (Refused, NotFoundError) as error:
            log.info("dropped", task_id=message.task_id, attempt=message.attempt, reason=str(error))
            return None
        await self._tell(task)
        return task

    async def siblings(self, leader: TaskDocument, pipelines: Container[str]) -> list[TaskDocument]:
        """Takes the other tasks of a claimed task's job that can share its decode.

        Args:
            leader: The task that was claimed.
            pipelines: What this worker can run.
        """
        if not leader.siblings:
            return []
        taken: list[TaskDocument] = []
        try:
            for task in await self._tasks.of_job(leader.job_id):
                if shares_decode(leader, task, pipelines):
                    taken += await self._join(leader, task)
        except TransientError as error:
            log.warning("siblings not claimed", task_id=leader.id, reason=str(error))
        return taken

    async def _join(self, leader: TaskDocument, task: TaskDocument) -> list[TaskDocument]:
        decide = partial(
            self._machine.claim,
            attempt=task.attempt,
            worker=self._worker,
            now=self._clock.now(),
            led_by=leader.id,
        )
        try:
            mine = await transact(self._tasks, task.id, decide, known=task)
        except (Refused, NotFoundError):
            return []  # another was quicker
        await self._tell(mine)
        return [mine]

    async def renew(self, task: TaskDocument, progress: Progress | None) -> TaskDocument | None:
        """Gives a sign of life. The answer tells whether a cancel was requested."""
        decide = partial(self._machine.renew, epoch=task.epoch, progress=progress)
        return await self._write(task, decide, tell=False)

    async def finish(self, task: TaskDocument) -> TaskDocument | None:
        """Hands the task over to the results service."""
        return await self._write(task, partial(self._machine.finish, epoch=task.epoch))

    async def fail(self, task: TaskDocument, failure: Failure) -> TaskDocument | None:
        """Ends the attempt with a failure."""
        decide = partial(self._machine.fail, failure=failure, epoch=task.epoch, now=self._clock.now())
        return await self._write(task, decide)

    async def cancel(self, task: TaskDocument) -> TaskDocument | None:
        """Ends the task that was to be cancelled."""
        return await self._write(task, partial(self._machine.cancel, epoch=task.epoch, now=self._clock.now()))

    async def release(self, task: TaskDocument) -> TaskDocument | None:
        """Gives the task back at a shutdown."""
        return await self._write(
            task, partial(self._machine.release, epoch=task.epoch, now=self._clock.now())
        )

    async def _write(
        self, task: TaskDocument, decide: partial[Change[TaskDocument]], *, tell: bool = True
    ) -> TaskDocument | None:
        try:
            after = await transact(self._tasks, task.id, decide)
        except (Refused, NotFoundError):
            return None
        if tell:
            await self._tell(after)
        return after

    async def _tell(self, task: TaskDocument) -> None:
        """Wakes the scheduler. If that fails its sweep finds the change in the document.

        A broker that is away answers only after long: by then the sweep was there, and the lease is running.
        """
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                await self._publisher.publish(TaskChanged.of(task), self._topic)
        except (TransientError, TimeoutError) as error:
            log.warning("wake-up not sent", task_id=task.id, reason=str(error))
