"""Finds what no event told: expired leases, lost wake-ups, jobs nobody planned or stopped, unsent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from frameloom.common.background import in_background
from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents.facts import SchedulerFacts
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.common.relay import JobRelay
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.dispatcher import Dispatcher
from frameloom.scheduler.folder import Folder
from frameloom.scheduler.planner import Planner
from frameloom.scheduler.settings import SchedulerSettings

_LIMIT = 200
log = structlog.get_logger(__name__)


class Sweeper:
    """The reaper of leases, and the safety net under every wake-up. Any replica may run it.

    Attributes:
        facts: When it last came through, for the fleet to see.
    """

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        machine: TaskMachine,
        planner: Planner,
        canceller: Canceller,
        folder: Folder,
        dispatcher: Dispatcher,
        relay: JobRelay,
        settings: SchedulerSettings,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._machine = machine
        self._planner = planner
        self._canceller = canceller
        self._folder = folder
        self._dispatcher = dispatcher
        self._relay = relay
        self._settings = settings
        self._clock = clock
        self.facts = SchedulerFacts(sweep_every_seconds=settings.sweep_every_seconds)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweeps in the background, at once and then regularly."""
        async with in_background(self._run(), "sweeper"):
            yield

    async def _run(self) -> None:
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            self.plan_forgotten,
            self._canceller.sweep,
            self.reap,
            self._folder.sweep,
            self._relay.sweep,
        )
        while True:
            whole = True
            for step in steps:
                try:
                    await step()
                except TransientError as error:
                    whole = False
                    log.warning("sweep waits", reason=str(error))
            if whole:
                told = {"last_sweep_at": self._clock.now(), "sweeps_total": self.facts.sweeps_total + 1}
                self.facts = self.facts.model_copy(update=told)
            await asyncio.sleep(self._settings.sweep_every_seconds)

    async def plan_forgotten(self) -> None:
        """Plans jobs whose submission event never arrived."""
        for job in await self._jobs.unplanned(self._settings.unplanned_after_seconds, _LIMIT):
            if await self._planner.plan(job.id):
                log.warning("planned without its event", job_id=job.id)
                self._dispatcher.wake()

    async def reap(self) -> None:
        """Closes the attempts whose lease has run out."""
        for task in await self._tasks.lease_expired(_LIMIT):
            decide = partial(self._machine.expire, now=self._clock.now())
            try:
                after = await transact(self._tasks, task.id, decide, known=task)
            except (Refused, NotFoundError):
                continue  # renewed or ended a moment ago
            log.warning(
                "lease expired",
                task_id=task.id,
                worker=task.owner,
                attempt=task.attempt,
                state=after.state.value,
            )
            await self._folder.fold(task.job_id)
            self._dispatcher.wake()
