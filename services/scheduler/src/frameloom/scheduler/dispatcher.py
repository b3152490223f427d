"""Publishes the next tasks of every pipeline, as the window allows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from frameloom.common.background import in_background, set_within
from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import FleetMember, TaskDocument
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.events import TaskDispatched
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.stores import FleetStore, TaskStore
from frameloom.common.topics import Topics
from frameloom.scheduler import window
from frameloom.scheduler.settings import SchedulerSettings

_PER_TENANT = 64
_LONGEST_REST_SECONDS = 0.1
log = structlog.get_logger(__name__)


class Dispatcher:
    """Opens the dispatch window, woken by events and by the clock."""

    def __init__(
        self,
        tasks: TaskStore,
        fleet: FleetStore,
        publisher: Publisher,
        topics: Topics,
        machine: TaskMachine,
        settings: SchedulerSettings,
        clock: Clock,
    ) -> None:
        self._tasks = tasks
        self._fleet = fleet
        self._publisher = publisher
        self._topics = topics
        self._machine = machine
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may have become dispatchable. Returns at once; many wakes make one round."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Dispatches in the background."""
        async with in_background(self._run(), "dispatcher"):
            yield

    async def _run(self) -> None:
        while True:
            await set_within(self._wake, self._settings.dispatch_every_seconds)
            self._wake.clear()
            began = asyncio.get_running_loop().time()
            try:
                await self.dispatch()
            except TransientError as error:
                log.warning("dispatch waits", reason=str(error))
            # At most half of the time is spent on rounds: what wakes meanwhile shares the next one.
            await asyncio.sleep(min(asyncio.get_running_loop().time() - began, _LONGEST_REST_SECONDS))

    async def dispatch(self) -> None:
        """One round over all pipelines that have queued tasks."""
        pipelines = await self._tasks.waiting_pipelines()
        if not pipelines:
            return
        fleet, running = await asyncio.gather(self._fleet.live(), self._tasks.running_by_owner())
        for pipeline in sorted(pipelines):
            await self._dispatch(pipeline, fleet, running)

    async def _dispatch(self, pipeline: str, fleet: Sequence[FleetMember], running: dict[str, int]) -> None:
        topic = self._topics.tasks(pipeline)
        room = window.capacity(pipeline, topic, fleet, running)
        if room.slots == 0:
            return
        unclaimed = await self._tasks.unclaimed(pipeline)
        after_seconds, now = self._settings.redispatch_after_seconds, self._clock.now()
        for dispatch in window.overdue(unclaimed, room, after_seconds, now, random.choice):
            log.warning("published again", task_id=dispatch.task.id, dispatches=dispatch.task.dispatches)
            await self._send(dispatch, topic)
        left = room.left(len(unclaimed))
        if left == 0:
            return
        # Of each tenant no more can be chosen than fit, and they come in the order of the queue.
        waiting, shares = await asyncio.gather(
            self._tasks.waiting(pipeline, min(left, _PER_TENANT)), self._tasks.running_by_tenant(pipeline)
        )
        for dispatch in window.choose(waiting, unclaimed, shares, room, random.choice):
            await self._send(dispatch, topic)

    async def _send(self, dispatch: window.Dispatch, topic: str) -> None:
        """Marks first, then publishes: a message that is lost in between is found to be overdue."""
        decide = partial(self._machine.dispatch, now=self._clock.now())
        try:
            task: TaskDocument = await transact(self._tasks, dispatch.task.id, decide, known=dispatch.task)
        except (Refused, NotFoundError):
            return
        event = TaskDispatched(
            task_id=task.id, job_id=task.job_id, pipeline=task.pipeline, attempt=task.attempt
        )
        await self._publisher.publish(event, topic, partition=dispatch.partition)
