"""One attempt at a task, from the claim to the hand-over."""

from __future__ import annotations

import asyncio
from contextlib import suppress

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
from frameloom.worker.child.process import ChildDiedError
from frameloom.worker.child.protocol import Chunk, Done, Failed, Progressed, Run, Warm
from frameloom.worker.claims import Claims
from frameloom.worker.control import Control
from frameloom.worker.errors import TaskError
from frameloom.worker.lease import Lease, Stop
from frameloom.worker.media_cache import MediaCache
from frameloom.worker.slots import Slot

log = structlog.get_logger(__name__)


class Execution:
    """Runs attempts. One instance serves all slots."""

    def __init__(
        self,
        claims: Claims,
        control: Control,
        media: MediaCache,
        publisher: Publisher,
        topics: Topics,
        worker: str,
        timeout_seconds: float,
        clock: Clock,
    ) -> None:
        self._claims = claims
        self._control = control
        self._media = media
        self._publisher = publisher
        self._topics = topics
        self._worker = worker
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def run(self, task: TaskDocument, slot: Slot) -> Outcome | None:
        """Runs a claimed task to its end, whatever that is. A cancellation gives the task back.

        Returns:
            What became of it here; None: it was another's in the end.
        """
        attempt = _Attempt(task, slot, self._clock)
        lease = Lease(self._claims, task, task.deadline_seconds or self._timeout_seconds)
        work = asyncio.create_task(self._work(attempt, lease), name=f"work {task.id}")
        keeper = asyncio.create_task(lease.kept(), name=f"lease {task.id}")
        try:
            with self._control.reaching(task, lease):
                await asyncio.wait({work, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                # No renewal from here on: it would find the task handed over, and call that a lost lease.
                await cancelled(keeper)
                return await uncut(self._end(attempt, work))
            return await self._stop(attempt, work, keeper.result())
        except asyncio.CancelledError:
            await cancelled(work)
            await slot.reset()
            if await self._claims.release(task) is not None:
                log.info("given back", task_id=task.id)
            raise
        finally:
            await cancelled(keeper, work)
            if attempt.busy:
                # A child that works on would send what it finds to the slot's next task.
                await slot.reset()

    async def _work(self, attempt: _Attempt, lease: Lease) -> Done:
        """Streams the annotations out. Raises what the attempt fails of."""
        task = attempt.task
        async with self._media.held(task.media) as path:
            child = await attempt.slot.child()
            attempt.busy = True
            await child.send(
                Run(pipeline=task.pipeline, config=task.config, path=str(path), stem=task.media.stem)
            )
            while True:
                reply = await child.receive()
                if isinstance(reply, Chunk):
                    await self._send_chunk(attempt, reply)
                elif isinstance(reply, Progressed):
                    lease.progress = reply.progress
                    attempt.tell(self._tell_progress(task, reply.progress))
                elif isinstance(reply, Warm):
                    attempt.slot.warm = reply
                elif isinstance(reply, Failed):
                    attempt.busy = False
                    raise TaskError(reply.category, reply.message)
                elif isinstance(reply, Done):
                    attempt.busy = False
                    return reply

    async def _send_chunk(self, attempt: _Attempt, chunk: Chunk) -> None:
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

    async def _hand_over(self, attempt: _Attempt, done: Done) -> Outcome | None:
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

    async def _end(self, attempt: _Attempt, work: asyncio.Task[Done]) -> Outcome | None:
        """The work ended by itself: well, or with what it raised."""
        try:
            return await self._hand_over(attempt, work.result())
        except Exception as error:  # noqa: BLE001 - whatever ends an attempt must be told
            failure = _failure(error)
            task_id, category = attempt.task.id, failure.category.value
            log.warning("attempt failed", task_id=task_id, category=category, reason=failure.message)
            return Outcome.FAILED if await self._claims.fail(attempt.task, failure) else None

    async def _stop(self, attempt: _Attempt, work: asyncio.Task[Done], why: Stop) -> Outcome | None:
        """The lease says that the work must stop: the child goes first, then the document tells."""
        task = attempt.task
        await attempt.slot.reset()
        await cancelled(work)  # afterwards, since what it waits for may take its time to let go
        log.warning("stopped", task_id=task.id, why=why.value)
        if why is Stop.CANCELLED:
            return Outcome.CANCELLED if await self._claims.cancel(task) else None
        if why is Stop.DEADLINE:
            seconds = task.deadline_seconds or self._timeout_seconds
            message = f"The pipeline did not end within {seconds:g} s."
            failure = Failure(category=FailureCategory.WORKER_TIMEOUT, message=message)
            return Outcome.FAILED if await self._claims.fail(task, failure) else None
        return None

    async def _tell_progress(self, task: TaskDocument, progress: Progress) -> None:
        event = TaskProgressed(
            job_id=task.job_id,
            tenant=task.tenant,
            task_id=task.id,
            pipeline=task.pipeline,
            epoch=task.epoch,
            progress=progress,
        )
        with suppress(TransientError):  # telemetry: the next one tells more
            await self._publisher.publish(event, self._topics.progress)


class _Attempt:
    """What one attempt keeps while it runs.

    Attributes:
        busy: The child has been given the task and has not told its end.
    """

    def __init__(self, task: TaskDocument, slot: Slot, clock: Clock) -> None:
        self.task = task
        self.slot = slot
        self.started_at = clock.now()
        self.chunks = 0
        self.busy = False
        self._telling: asyncio.Task[None] | None = None

    def tell(self, telling: object) -> None:
        """Sends telemetry beside the work; passes over what comes while one is under way."""
        assert asyncio.iscoroutine(telling)
        if self._telling is not None and not self._telling.done():
            telling.close()
            return
        self._telling = asyncio.create_task(telling)


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
