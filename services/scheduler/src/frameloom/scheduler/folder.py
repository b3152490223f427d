"""From the tasks back into the job: their events, and the job's status."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import TaskDocument
from frameloom.common.errors import NotFoundError
from frameloom.common.events import TaskGivenUp
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.common.relay import JobRelay
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.stitches import Stitches

_SWEEP_LIMIT = 500
log = structlog.get_logger(__name__)


class Folder:
    """Folds tasks that have changed into their job documents."""

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        relay: JobRelay,
        canceller: Canceller,
        stitches: Stitches,
        publisher: Publisher,
        dead_letters: str,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._relay = relay
        self._canceller = canceller
        self._stitches = stitches
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._clock = clock

    async def fold(self, job_id: str) -> bool:
        """Brings one job up to date with its tasks; whether one that had waited for others goes on."""
        changed = [task for task in await self._tasks.of_job(job_id) if task.pending_fold]
        return bool(changed) and await self._fold(job_id, changed)

    async def sweep(self) -> None:
        """Brings every job up to date whose wake-up was lost."""
        by_job: dict[str, list[TaskDocument]] = {}
        for task in await self._tasks.pending_fold(_SWEEP_LIMIT):
            by_job.setdefault(task.job_id, []).append(task)
        for job_id, tasks in by_job.items():
            await self._fold(job_id, tasks)

    async def _fold(self, job_id: str, changed: Iterable[TaskDocument]) -> bool:
        tasks = list(changed)
        job = await self._jobs.get(job_id)
        if job is not None and not job.planned and not job.status.terminal:
            return False  # planning is not over: its second write comes first
        try:
            decide = partial(jobs_machine.fold, tasks=tasks, now=self._clock.now())
            job = await transact(self._jobs, job_id, decide, known=job)
        except NotFoundError:
            job = None
        except Refused:
            job = await self._jobs.get(job_id)
        else:
            self._relay.offer(job)
            if job.status.terminal:
                log.info("job over", job_id=job.id, status=job.status.value, reason=job.error_message)
        await self._tell_given_up(tasks)
        # Before they count as folded: after a crash in between it is looked at again.
        over = any(task.segment is not None and task.state.terminal for task in tasks)
        advanced = over and await self._stitches.advance(job_id)
        await self._tasks.mark_folded([(task.id, task.rev) for task in tasks])
        unaware = any(not task.state.terminal and not task.cancel_requested for task in tasks)
        if unaware and (job is None or job.status.terminal):
            # The job was cancelled or deleted, and this task has not heard of it.
            await self._canceller.cancel_if_over(job_id)
        if advanced:
            await self.fold(job_id)  # it may have failed with its segment
        return advanced

    async def _tell_given_up(self, tasks: Iterable[TaskDocument]) -> None:
        """Puts tasks that failed for good on the dead-letter topic.

        Before they count as folded: after a crash in between they are told again, with the same id.
        """
        for task in tasks:
            for event in task.outbox:
                if event.type == "task.failed" and task.failure is not None:
                    notice = TaskGivenUp.of(task, event, task.failure)
                    await self._publisher.publish(notice, self._dead_letters)
