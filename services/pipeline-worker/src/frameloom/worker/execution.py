"""Attempts at tasks, from the claim to the hand-over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from frameloom.common import __version__
from frameloom.common.background import cancelled, uncut
from frameloom.common.clock import Clock
from frameloom.common.documents import Failure, FailureCategory, Outcome, TaskDocument
from frameloom.common.errors import TransientError
from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Provenance, TaskProgressed
from frameloom.common.pipelines import Progress
from frameloom.common.ports.broker import Publisher
from frameloom.common.topics import Topics
from frameloom.worker.attempt import Attempt
from frameloom.worker.child.process import ChildDiedError
from frameloom.worker.child.protocol import Chunk, Done, Progressed
from frameloom.worker.claims import Claims
from frameloom.worker.control import Control
from frameloom.worker.crew import Crew, GivenBackError
from frameloom.worker.errors import TaskError
from frameloom.worker.lease import Lease, Stop
from frameloom.worker.materials import Materials
from frameloom.worker.slots import Slot

log = structlog.get_logger(__name__)


class Execution:
    """Runs attempts. One instance serves all slots."""

    def __init__(
        self,
        claims: Claims,
        control: Control,
        materials: Materials,
        publisher: Publisher,
        topics: Topics,
        worker: str,
        timeout_seconds: float,
        clock: Clock,
    ) -> None:
        self._claims = claims
        self._control = control
        self._materials = materials
        self._publisher = publisher
        self._topics = topics
        self._worker = worker
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def run(self, tasks: Sequence[TaskDocument], slot: Slot) -> list[Outcome | None]:
        """Runs claimed tasks of one job and media, each to its own end, whatever that is.

        A cancellation gives back those that have not ended.

        Returns:
            What became of each here; None: it was another's in the end.
        """
        attempts = [self._attempt(task) for task in tasks]
        crew = Crew(attempts, slot, self._materials, self._send_chunk, self._tell_progress)
        crew.start()
        ends = [
            asyncio.create_task(self._see_through(attempt, crew), name=f"attempt {attempt.task.id}")
            for attempt in attempts
        ]
        try:
            return await asyncio.gather(*ends)
        finally:
            await cancelled(*ends)
            await crew.end()

    def _attempt(self, task: TaskDocument) -> Attempt:
        lease = Lease(self._claims, task, task.deadline_seconds or self._timeout_seconds)
        return Attempt(task, lease, self._clock.now())

    async def _see_through(self, attempt: Attempt, crew: Crew) -> Outcome | None:
        """From the first renewal of the lease to the last write."""
        task, lease = attempt.task, attempt.lease
        keeper = asyncio.create_task(lease.kept(), name=f"lease {task.id}")
        either: set[asyncio.Future[Any]] = {attempt.ended, keeper}
        try:
            with self._control.reaching(task, lease):
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if attempt.ended.done():
                # No renewal from here on: it would find the task handed over, and call that a lost lease.
                await cancelled(keeper)
                return await uncut(self._end(attempt))
            return await self._stop(attempt, crew, keeper.result())
        except asyncio.CancelledError:
            await crew.end()
            if await self._claims.release(task) is not None:
                log.info("given back", task_id=task.id)
            raise
        finally:
            await cancelled(keeper)

    async def _send_chunk(self, attempt: Attempt, chunk: Chunk) -> None:
        event = AnnotationChunk(
            job_id=attempt.task.job_id,
            task_id=attempt.task.id,
            epoch=attempt.task.epoch,
            seq=attempt.chunks,
            start_seconds=chunk.start_seconds,
            end_seconds=chunk.end_seconds,
            items=chunk.items,
        )
        await self._publisher.publish(event, self._topics.annotations)
        attempt.chunks += 1

    async def _hand_over(self, attempt: Attempt, done: Done) -> Outcome | None:
        """Ends the worker's part: first the document, then the message that the end of chunks is reached."""
        task = attempt.task
        if await self._claims.finish(task) is None:
            log.info("not ours any more", task_id=task.id, epoch=task.epoch)
            return None
        finished = AnnotationsFinished(
            job_id=task.job_id,
            task_id=task.id,
            epoch=task.epoch,
            chunks=attempt.chunks,
            media=task.media,
            media_seconds=done.media_seconds,
            artefacts=done.artefacts,
            provenance=Provenance(
                input_sha256=task.media.sha256,
                pipeline=task.pipeline,
                pipeline_version=done.pipeline_version,
                models=done.models,
                config=done.config,
                decoder=done.decoder,
                frameloom_version=__version__,
                worker=self._worker,
                started_at=attempt.started_at,
                ended_at=self._clock.now(),
            ),
        )
        await self._publisher.publish(finished, self._topics.annotations)
        log.info("handed over", task_id=task.id, frames=done.frames, chunks=attempt.chunks)
        return Outcome.COMPLETED

    async def _end(self, attempt: Attempt) -> Outcome | None:
        """The run ended by itself: well, or with what it raised."""
        try:
            return await self._hand_over(attempt, attempt.ended.result())
        except GivenBackError:
            log.info("given back", task_id=attempt.task.id)
            return Outcome.RELEASED if await self._claims.release(attempt.task) else None
        except Exception as error:  # noqa: BLE001 - whatever ends an attempt must be told
            failure = _failure(error)
            task_id, category = attempt.task.id, failure.category.value
            log.warning("attempt failed", task_id=task_id, category=category, reason=failure.message)
            return Outcome.FAILED if await self._claims.fail(attempt.task, failure) else None

    async def _stop(self, attempt: Attempt, crew: Crew, why: Stop) -> Outcome | None:
        """The lease says that the work must stop: the child lets go first, then the document tells."""
        task = attempt.task
        await crew.leave(attempt)
        log.warning("stopped", task_id=task.id, why=why.value)
        if why is Stop.CANCELLED:
            return Outcome.CANCELLED if await self._claims.cancel(task) else None
        if why is Stop.DEADLINE:
            seconds = task.deadline_seconds or self._timeout_seconds
            message = f"The pipeline did not end within {seconds:g} s."
            failure = Failure(category=FailureCategory.WORKER_TIMEOUT, message=message)
            return Outcome.FAILED if await self._claims.fail(task, failure) else None
        return None

    def _tell_progress(self, attempt: Attempt, told: Progressed) -> None:
        attempt.tell(self._publish_progress(attempt.task, told.progress))

    async def _publish_progress(self, task: TaskDocument, progress: Progress) -> None:
        event = TaskProgressed(
            job_id=task.job_id,
            tenant=task.tenant,
            task_id=task.id,
            pipeline=task.pipeline,
            epoch=task.epoch,
            progress=progress,
            segments=task.segment.count if task.segment else 0,
        )
        with suppress(TransientError):  # telemetry: the next one tells more
            await self._publisher.publish(event, self._topics.progress)


def _failure(error: BaseException) -> Failure:
    """The failure category of what ended an attempt."""
    if isinstance(error, TaskError):
        return Failure(category=error.category, message=error.message)
    if isinstance(error, ChildDiedError):
        return Failure(category=FailureCategory.WORKER_CRASH, message=error.sentence())
    if isinstance(error, TransientError):
        return Failure(category=FailureCategory.PROVIDER_TRANSIENT, message=error.message)
    log.error("unexpected", exc_info=error)
    return Failure(category=FailureCategory.SYSTEM, message=f"{type(error).__name__}: {error}")
