"""Lets a stitch task go when its segments are done, or ends it when one of them has failed for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import Failure, FailureCategory, SegmentRows, TaskDocument, TaskState
from frameloom.common.errors import NotFoundError
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Change, Refused
from frameloom.common.ports.stores import TaskStore
from frameloom.scheduler.canceller import Canceller

_UNKNOWN = Failure(category=FailureCategory.SYSTEM, message="A segment ended without a reason.")
log = structlog.get_logger(__name__)


class Stitches:
    """Advances the stitch tasks of a job. Doing it twice changes nothing."""

    def __init__(self, tasks: TaskStore, canceller: Canceller, machine: TaskMachine, clock: Clock) -> None:
        self._tasks = tasks
        self._canceller = canceller
        self._machine = machine
        self._clock = clock

    async def advance(self, job_id: str) -> bool:
        """Looks at every stitch task of a job that waits; whether one of them changed."""
        tasks = {task.id: task for task in await self._tasks.of_job(job_id)}
        changed = False
        for stitch in tasks.values():
            if stitch.state is TaskState.WAITING:
                changed = await self._look_at(stitch, tasks) or changed
        return changed

    async def _look_at(self, stitch: TaskDocument, tasks: Mapping[str, TaskDocument]) -> bool:
        pieces = [tasks[key] for key in stitch.waits_for if key in tasks]
        failed = next((piece for piece in pieces if piece.state is TaskState.FAILED), None)
        if failed is not None:
            # The others first: once the stitch is over nobody would look for them again.
            for piece in pieces:
                if not piece.state.terminal:
                    await self._canceller.end(piece)
            failure = _of_segment(failed)
            log.warning("segment failed", task_id=failed.id, stitch=stitch.id, reason=failure.message)
            now = self._clock.now()
            return await self._write(stitch, partial(self._machine.abandon, failure=failure, now=now))
        if len(pieces) < len(stitch.waits_for) or not all(
            piece.state is TaskState.COMPLETED for piece in pieces
        ):
            return False
        log.info("segments done", stitch=stitch.id, segments=len(pieces))
        return await self._write(stitch, partial(self._machine.ready, parts=_rows(pieces)))

    async def _write(self, stitch: TaskDocument, decide: partial[Change[TaskDocument]]) -> bool:
        try:
            await transact(self._tasks, stitch.id, decide, known=stitch)
        except (Refused, NotFoundError):
            return False
        return True


def _of_segment(piece: TaskDocument) -> Failure:
    """The failure of a segment, as that of its pipeline."""
    failure = piece.failure or _UNKNOWN
    if piece.segment is None:
        return failure
    place = f"Segment {piece.segment.index + 1} of {piece.segment.count}"
    return failure.model_copy(update={"message": f"{place}: {failure.message}"})


def _rows(pieces: Sequence[TaskDocument]) -> list[SegmentRows]:
    return [
        SegmentRows(task_id=piece.id, epoch=piece.result.epoch, chunks=piece.result.chunks)
        for piece in pieces
        if piece.result is not None
    ]
