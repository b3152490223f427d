"""Removes what a job no longer needs: chunks, files of epochs that lost, media that can not be read.

Of a deleted job that is everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from frameloom.common.background import in_background, repeatedly
from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobStatus, TaskDocument, TaskState
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.results import layout

_LIMIT = 50
log = structlog.get_logger(__name__)


def unreadable(tasks: Sequence[TaskDocument]) -> bool:
    """Whether every task failed because of the media itself."""
    wholes = [task for task in tasks if task.segment is None]  # they tell why a segment failed
    return bool(wholes) and all(
        task.state is TaskState.FAILED and task.failure is not None and task.failure.category.input_at_fault
        for task in wholes
    )


async def sweep_bucket(objects: ObjectStore, job: JobDocument) -> None:
    """Removes everything of a job from the bucket. Doing it again is no fault."""
    found = {job.media.key}
    for prefix in layout.of_job(job.id):
        found.update(await objects.keys(prefix))
    await objects.delete(sorted(found))


class Tidier:
    """Looks for jobs that are over or deleted, and removes their leftovers, once."""

    def __init__(
        self, jobs: JobStore, tasks: TaskStore, objects: ObjectStore, every_seconds: float, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._objects = objects
        self._every_seconds = every_seconds
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tidies in the background."""
        async with in_background(repeatedly(self.sweep, self._every_seconds, "tidying waits"), "tidier"):
            yield

    async def sweep(self) -> None:
        """Tidies every such job; one whose objects can not be removed does not hold up the others."""
        for job in await self._jobs.untidied(_LIMIT):
            try:
                await self.tidy(job)
            except TransientError as error:
                log.warning("tidying waits", job_id=job.id, reason=str(error))

    async def tidy(self, job: JobDocument) -> bool:
        """Tidies one job. False: some task of it still runs."""
        tasks = await self._tasks.of_job(job.id)
        if any(not task.state.terminal for task in tasks):
            return False
        if job.status is JobStatus.DELETED:
            await sweep_bucket(self._objects, job)
        else:
            await self._remove_leftovers(job, tasks)
        try:
            await transact(self._jobs, job.id, partial(jobs_machine.tidied, now=self._clock.now()), known=job)
        except (Refused, NotFoundError):
            return True
        log.info("tidied", job_id=job.id, status=job.status.value)
        return True

    async def _remove_leftovers(self, job: JobDocument, tasks: Sequence[TaskDocument]) -> None:
        await self._delete(layout.chunks_of_job(job.id), keep=())
        visible = tuple(
            task.result.manifest_key.rsplit("/", 1)[0]
            for task in tasks
            if task.result and task.segment is None
        )
        await self._delete(layout.results_of_job(job.id), keep=visible)
        if unreadable(tasks):
            await self._objects.delete([job.media.key])

    async def _delete(self, prefix: str, keep: tuple[str, ...]) -> None:
        keys = await self._objects.keys(prefix)
        await self._objects.delete([key for key in keys if not key.startswith(tuple(f"{k}/" for k in keep))])
