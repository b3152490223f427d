"""From a submitted job to its tasks."""

from __future__ import annotations

from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.errors import NotFoundError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.segmentations import Segmentations

log = structlog.get_logger(__name__)


class Planner:
    """Makes a job's tasks."""

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        segmentations: Segmentations,
        canceller: Canceller,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._segmentations = segmentations
        self._canceller = canceller
        self._clock = clock

    async def plan(self, job_id: str) -> bool:
        """Plans a job once. False: it was planned already, or is over, or gone."""
        job = await self._jobs.get(job_id)
        if job is None or job.status.terminal:
            # A scheduler may have died when it had made the tasks, and the job been ended before its plan.
            await self._canceller.cancel_if_over(job_id)
            return False
        if job.planned:
            return False
        now = self._clock.now()
        wanted = await self._segmentations.of(job)
        tasks = jobs_machine.plan_tasks(job, now, wanted, self._segmentations.limits)
        # Tasks first: their ids are derived, so after a crash between the two writes planning again
        # finds them there. A job that knew of tasks which do not exist would never end.
        await self._tasks.insert_missing(tasks)
        try:
            decide = partial(jobs_machine.planned, tasks=tasks, now=now)
            await transact(self._jobs, job_id, decide, known=job)
        except (Refused, NotFoundError):
            # Somebody else planned it, or it was cancelled or deleted meanwhile: then its tasks must end too.
            await self._canceller.cancel_if_over(job_id)
            return False
        log.info("planned", job_id=job_id, pipelines=list(job.selected_pipelines), tasks=len(tasks))
        return True
