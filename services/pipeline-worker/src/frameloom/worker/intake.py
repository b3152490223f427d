"""From messages to running slots: take what there is room for, claim, commit, start."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from frameloom.common.adapters.kafka import DeadLetterLimit, Intake, PoisonGauge, Record
from frameloom.common.background import uncut
from frameloom.common.documents import Outcome
from frameloom.common.errors import FrameloomError, PoisonMessageError, TransientError
from frameloom.common.events import DeadLetter, TaskDispatched, decode
from frameloom.common.ports.broker import Publisher
from frameloom.worker.claims import Claims
from frameloom.worker.errors import TaskError
from frameloom.worker.execution import Execution
from frameloom.worker.slots import Slot
from frameloom.worker.workbook import WorkBook

_POLL_SECONDS = 1.0
_AGAIN_SECONDS = 0.5
_START_TRIES = 3
log = structlog.get_logger(__name__)


class Worker:
    """Fills its slots with claimed tasks until it is asked to end."""

    def __init__(
        self,
        slots: list[Slot],
        claims: Claims,
        execution: Execution,
        publisher: Publisher,
        dead_letters: str,
        book: WorkBook,
        pipelines: Collection[str] = (),
    ) -> None:
        self._free = list(slots)
        self._claims = claims
        self._execution = execution
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._book = book
        self._pipelines = frozenset(pipelines)
        self._running: set[asyncio.Task[list[Outcome | None]]] = set()
        self._intake: Intake | None = None
        self._gauge = PoisonGauge("worker", DeadLetterLimit())

    def room(self) -> int:
        """How many more tasks can start now."""
        return len(self._free)

    async def take(self, intake: Intake) -> None:
        """Takes tasks for ever; cancel it to stop the intake. Running tasks go on."""
        self._intake = intake
        while True:
            await self._warm()
            for record in await intake.poll(_POLL_SECONDS):
                await self._handle(intake, record)

    async def _warm(self) -> None:
        """Makes sure of a child in every free slot before a task is taken.

        A worker whose children do not start would fail tasks faster than any other runs them, and empty the
        queue that way. It takes none, and ends when trying again has not helped.

        Raises:
            FrameloomError: The children do not start.
        """
        for slot in list(self._free):
            failures = 0
            while not slot.ready:
                try:
                    await slot.child()
                except TaskError as error:
                    failures += 1
                    log.error("child does not start", failures=failures, reason=error.message)  # noqa: TRY400
                    if failures >= _START_TRIES:
                        raise FrameloomError(
                            error.message, hint="The worker's log above tells what failed."
                        ) from error
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def drain(self, grace_seconds: float) -> None:
        """Waits for running tasks, then gives back those that are left."""
        if self._running:
            log.info("draining", running=len(self._running), grace_seconds=grace_seconds)
            await asyncio.wait(self._running, timeout=grace_seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for slot in self._free:
            await slot.reset()

    async def _handle(self, intake: Intake, record: Record) -> None:
        """Claims, then commits: what was claimed is ours by the database and need not be read again."""
        try:
            event = _task_of(record)
        except PoisonMessageError as error:
            await self._put_away(record, error)
            await intake.commit(record)
            self._gauge.add(poison=True)
        else:
            await self._claim(event)
            await intake.commit(record)
            self._gauge.add(poison=False)

    async def _claim(self, event: TaskDispatched) -> None:
        while True:
            try:
                return await uncut(self._start(event))
            except TransientError as error:
                # The record is neither claimed nor committed; waiting here keeps it ours to decide.
                log.warning("can not claim yet", task_id=event.task_id, reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _start(self, event: TaskDispatched) -> None:
        """Not to be cut in two: a task that was claimed and not started would be lost with its lease."""
        task = await self._claims.claim(event)
        if task is None:
            return
        tasks = [task, *await self._claims.siblings(task, self._pipelines)]
        for one in tasks:
            log.info("claimed", task_id=one.id, job_id=one.job_id, attempt=one.attempt, epoch=one.epoch)
        slot = self._free.pop()
        self._book.began(slot, tasks)
        running = asyncio.create_task(self._execution.run(tasks, slot), name=f"task {task.id}")
        self._running.add(running)
        running.add_done_callback(lambda done: self._ended(done, slot))

    def _ended(self, running: asyncio.Task[list[Outcome | None]], slot: Slot) -> None:
        self._running.discard(running)
        self._free.append(slot)
        if running.cancelled():
            self._book.ended(slot, Outcome.RELEASED)
        elif (error := running.exception()) is None:
            self._book.ended(slot, *running.result())
        else:
            self._book.ended(slot, None)
            # The database did not take the outcome: the lease will run out, and the reaper knows.
            log.error("outcome not written", reason=str(error), exc_info=error)
        if self._intake is not None:
            self._intake.room_changed()

    async def _put_away(self, record: Record, error: PoisonMessageError) -> None:
        log.error("dead letter", topic=record.topic, offset=record.offset, reason=str(error))
        letter = DeadLetter.of(
            consumer="worker",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=str(error),
            headers=record.headers,
            body=record.body,
        )
        while True:
            try:
                return await self._publisher.publish(letter, self._dead_letters)
            except TransientError as away:
                # As with a claim: it waits here, and the tasks that run go on.
                log.warning("can not put away yet", offset=record.offset, reason=str(away))
                await asyncio.sleep(_AGAIN_SECONDS)


def _task_of(record: Record) -> TaskDispatched:
    event = decode(record.body, record.headers)
    if not isinstance(event, TaskDispatched):
        raise PoisonMessageError(f"{event.TYPE} does not belong in {record.topic}")
    return event
