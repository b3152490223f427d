"""Ends the tasks of jobs that are over for their users: cancelled, or deleted."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.events import TaskCancelRequested
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.stores import JobStore, TaskStore

_SWEEP_LIMIT = 200
_TELL_SECONDS = 1.0
log = structlog.get_logger(__name__)


class Canceller:
    """Asks tasks to end: a queued one ends at once, of a running one the worker is told.

    The request stands in the task's document; a worker reads it at its next renewal at the latest. The hint
    on the control topic only makes it look now.
    """

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        publisher: Publisher,
        control: str,
        machine: TaskMachine,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._publisher = publisher
        self._control = control
        self._machine = machine
        self._clock = clock
        self._settled: set[str] = set()

    async def cancel_if_over(self, job_id: str) -> bool:
        """Asks every task of a job that is over, or deleted, to end; whether some had not ended yet.

        Repeats the hint to those that were asked before.
        """
        job = await self._jobs.get(job_id)
        if job is not None and not job.status.terminal:
            return False
        left = [task for task in await self._tasks.of_job(job_id) if not task.state.terminal]
        for task in left:
            await self.end(task)
        return bool(left)

    async def sweep(self) -> None:
        """Asks again where tasks may still run: an event or a hint was lost, or a scheduler died between.

        A job whose tasks were all found ended is not looked at again: it waits for the results service only.
        """
        stopping = [job.id for job in await self._jobs.stopping(_SWEEP_LIMIT)]
        self._settled.intersection_update(stopping)
        for job_id in stopping:
            if job_id not in self._settled and not await self.cancel_if_over(job_id):
                self._settled.add(job_id)

    async def end(self, task: TaskDocument) -> None:
        """Asks one task to end."""
        decide = partial(self._machine.request_cancel, now=self._clock.now())
        try:
            task = await transact(self._tasks, task.id, decide, known=task)
        except NotFoundError:
            return
        except Refused:
            pass  # asked before; or over meanwhile, and then nobody holds what the hint names
        else:
            log.info("cancel requested", task_id=task.id, queued=task.state is TaskState.CANCELLED)
        if task.state is TaskState.RUNNING:
            await self._hint(task)

    async def _hint(self, task: TaskDocument) -> None:
        """A broker that is away must not hold up the other tasks: the renewal finds the request too."""
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                await self._publisher.publish(TaskCancelRequested.of(task), self._control)
        except (TransientError, TimeoutError) as error:
            log.warning("wake-up not sent", task_id=task.id, reason=str(error))
