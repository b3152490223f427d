"""From a submitted job to its tasks."""

from __future__ import annotations

from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.errors import NotFoundError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import JobStore, TaskStore

log = structlog.get_logger(__name__)


class Planner:
    """Makes a job's tasks, and cancels them."""

    def __init__(self, jobs: JobStore, tasks: TaskStore, machine: TaskMachine, clock: Clock) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._machine = machine
        self._clock = clock

    async def plan(self, job_id: str) -> bool:
        """Plans a job once. False: it was planned already, or is over, or gone."""
        job = await self._jobs.get(job_id)
        if job is None or job.planned or job.status.terminal:
            return False
        now = self._clock.now()
        tasks = jobs_machine.plan_tasks(job, now)
        # Tasks first: their ids are derived, so after a crash between the two writes planning again
        # finds them there. A job that knew of tasks which do not exist would never end.
        await self._tasks.insert_missing(tasks)
        try:
            decide = partial(jobs_machine.planned, tasks=tasks, now=now)
            await transact(self._jobs, job_id, decide, known=job)
        except Refused:
            # Somebody else planned it, or it was cancelled meanwhile: then its tasks must go too.
            await self.cancel_if_over(job_id)
            return False
        log.info("planned", job_id=job_id, pipelines=[task.pipeline for task in tasks])
        return True

    async def cancel_if_over(self, job_id: str) -> None:
        """Asks every task of a job that is over to end."""
        job = await self._jobs.get(job_id)
        if job is not None and not job.status.terminal:
            return
        for task in await self._tasks.of_job(job_id):
            if not task.state.terminal:
                await self._request_cancel(task)

    async def _request_cancel(self, task: TaskDocument) -> None:
        decide = partial(self._machine.request_cancel, now=self._clock.now())
        try:
            after = await transact(self._tasks, task.id, decide, known=task)
        except (Refused, NotFoundError):
            return
        log.info("cancel requested", task_id=task.id, queued=after.state is TaskState.CANCELLED)
