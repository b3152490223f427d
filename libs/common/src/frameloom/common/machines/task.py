"""The task's state machine and its lease.

One table says which reason is legal in which state; one function per reason builds the change. Results are
:class:`Change` values that a store writes by compare-and-set, or :class:`Refused`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from frameloom.common.clock import new_id
from frameloom.common.documents.segments import SegmentRows
from frameloom.common.documents.task import (
    Attempt,
    Failure,
    FailureCategory,
    Outcome,
    TaskDocument,
    TaskEvent,
    TaskResult,
    TaskState,
)
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.transition import Change, Guard, Refused
from frameloom.common.pipelines import Progress


class Reason(StrEnum):
    """Why a task changes."""

    READY = "ready"
    ABANDON = "abandon"
    DISPATCH = "dispatch"
    CLAIM = "claim"
    RENEW = "renew"
    FINISH = "finish"
    COMPLETE = "complete"
    FAIL = "fail"
    RELEASE = "release"
    EXPIRE = "expire"
    REQUEST_CANCEL = "request_cancel"
    CANCEL = "cancel"


_S = TaskState
LEGAL: Mapping[Reason, frozenset[TaskState]] = {
    Reason.READY: frozenset({_S.WAITING}),
    Reason.ABANDON: frozenset({_S.WAITING}),
    Reason.DISPATCH: frozenset({_S.QUEUED}),
    Reason.CLAIM: frozenset({_S.QUEUED}),
    Reason.RENEW: frozenset({_S.RUNNING}),
    Reason.FINISH: frozenset({_S.RUNNING}),
    Reason.COMPLETE: frozenset({_S.RUNNING, _S.FINALIZING}),
    Reason.FAIL: frozenset({_S.RUNNING, _S.FINALIZING}),
    Reason.RELEASE: frozenset({_S.RUNNING}),
    Reason.EXPIRE: frozenset({_S.RUNNING, _S.FINALIZING}),
    Reason.REQUEST_CANCEL: frozenset({_S.WAITING, _S.QUEUED, _S.RUNNING, _S.FINALIZING}),
    Reason.CANCEL: frozenset({_S.RUNNING, _S.FINALIZING}),
}

CANCELLED_BY_USER = Failure(category=FailureCategory.CANCELLED, message="Cancelled by request.")
_LOST = Failure(
    category=FailureCategory.WORKER_LOST,
    message="The worker stopped giving signs of life while it ran this task.",
)
_RESULTS_LOST = Failure(
    category=FailureCategory.STORAGE_ERROR,
    message="The annotations were not assembled in time after the worker had finished.",
)


@dataclass(frozen=True, slots=True)
class TaskMachine:
    """Decides every change of a task. Holds no state of its own.

    Attributes:
        retry: Which failures are tried again.
        lease_seconds: Length of a claim and of each renewal.
        finalize_seconds: How long the results service may take after the worker has finished.
    """

    retry: RetryPolicy
    lease_seconds: float
    finalize_seconds: float

    def ready(self, task: TaskDocument, parts: Sequence[SegmentRows]) -> Change[TaskDocument]:
        """All its segments are done: it may be dispatched, and knows where their rows lie."""
        _allow(Reason.READY, task)
        return Change(task, _next(task, state=TaskState.QUEUED, parts=tuple(parts)))

    def abandon(self, task: TaskDocument, failure: Failure, now: datetime) -> Change[TaskDocument]:
        """A segment failed for good, so there will never be a whole: the pipeline failed of it."""
        _allow(Reason.ABANDON, task)
        after = _next(task, state=TaskState.FAILED, failure=failure, ended_at=now)
        facts = {"category": failure.category.value, "message": failure.message}
        return Change(task, _emit(after, "task.failed", now, **facts))

    def dispatch(self, task: TaskDocument, now: datetime) -> Change[TaskDocument]:
        """A message about the task is about to be published."""
        _allow(Reason.DISPATCH, task)
        return Change(task, _next(task, dispatched_at=now, dispatches=task.dispatches + 1))

    def claim(
        self,
        task: TaskDocument,
        *,
        attempt: int,
        worker: str,
        now: datetime,
        led_by: str | None = None,
    ) -> Change[TaskDocument]:
        """A worker takes the task: the epoch rises and the lease begins.

        Args:
            task: As it is.
            attempt: The one that the message, or the look at the task, was about.
            worker: Who takes it.
            now: The time.
            led_by: The task that was taken first, if this one is to share its slot.

        Raises:
            Refused: The task is not queued, the message is of another attempt, or it was cancelled.
        """
        _allow(Reason.CLAIM, task)
        if task.attempt != attempt or task.cancel_requested:
            facts = f"{task.state}, attempt {task.attempt}, cancel {task.cancel_requested}"
            raise Refused(Reason.CLAIM, facts)
        entry = Attempt(number=task.attempt, epoch=task.epoch + 1, worker=worker, started_at=now)
        after = _next(
            task,
            state=TaskState.RUNNING,
            epoch=task.epoch + 1,
            owner=worker,
            led_by=led_by,
            next_eligible_at=None,
            attempts=(*task.attempts, entry),
            started_at=task.started_at or now,
            progress=None,
        )
        after = _emit(after, "task.started", now, worker=worker)
        return Change(task, after, lease_seconds=self.lease_seconds, guard=Guard.ELIGIBLE)

    def renew(self, task: TaskDocument, *, epoch: int, progress: Progress | None) -> Change[TaskDocument]:
        """The worker gives a sign of life, and its progress. It reads the cancel request from the answer."""
        _allow(Reason.RENEW, task, epoch)
        return Change(task, _next(task, progress=progress or task.progress), lease_seconds=self.lease_seconds)

    def finish(self, task: TaskDocument, *, epoch: int) -> Change[TaskDocument]:
        """The worker has sent its last chunk and hands the task over to the results service."""
        _allow(Reason.FINISH, task, epoch)
        return Change(task, _next(task, state=TaskState.FINALIZING), lease_seconds=self.finalize_seconds)

    def complete(self, task: TaskDocument, result: TaskResult, now: datetime) -> Change[TaskDocument]:
        """The visibility flip: this epoch's result becomes the task's only result.

        Raises:
            Refused: Another epoch holds the task, or it is to be cancelled: then nothing may show.
        """
        _allow(Reason.COMPLETE, task, result.epoch)
        if task.cancel_requested:
            raise Refused(Reason.COMPLETE, f"{task.state}, cancel requested")
        after = _close(task, now, Outcome.COMPLETED, None)
        after = _next(after, state=TaskState.COMPLETED, result=result, ended_at=now, **_UNOWNED)
        files = [artefact.filename for artefact in result.artefacts]
        count = result.annotation_count
        return Change(task, _emit(after, "task.completed", now, annotation_count=count, files=files))

    def fail(
        self, task: TaskDocument, failure: Failure, *, epoch: int, now: datetime
    ) -> Change[TaskDocument]:
        """The attempt failed: queued again if the retry table says so, else failed for good."""
        _allow(Reason.FAIL, task, epoch)
        return self._failed(task, failure, now)

    def expire(self, task: TaskDocument, now: datetime) -> Change[TaskDocument]:
        """The lease ran out, by the database's clock: the attempt is closed as lost."""
        _allow(Reason.EXPIRE, task)
        if task.cancel_requested:
            change = self.cancel(task, epoch=task.epoch, now=now)
        else:
            change = self._failed(task, _LOST if task.state is TaskState.RUNNING else _RESULTS_LOST, now)
        return Change(task, change.after, delay_seconds=change.delay_seconds, guard=Guard.LEASE_EXPIRED)

    def release(self, task: TaskDocument, *, epoch: int, now: datetime) -> Change[TaskDocument]:
        """A worker that shuts down gives the task back: queued again, no attempt burned.

        One that is to be cancelled ends here: nobody would claim it, or ask a second time.
        """
        _allow(Reason.RELEASE, task, epoch)
        if task.cancel_requested:
            return self.cancel(task, epoch=epoch, now=now)
        after = _close(task, now, Outcome.RELEASED, None)
        after = _next(after, state=TaskState.QUEUED, dispatched_at=None, **_UNOWNED)
        return Change(task, _emit(after, "task.released", now))

    def request_cancel(self, task: TaskDocument, now: datetime) -> Change[TaskDocument]:
        """Somebody wants it cancelled: at once if queued; a running one learns of it at its renewal."""
        _allow(Reason.REQUEST_CANCEL, task)
        if task.state in {TaskState.WAITING, TaskState.QUEUED}:
            after = _next(
                task,
                state=TaskState.CANCELLED,
                cancel_requested=True,
                ended_at=now,
                failure=CANCELLED_BY_USER,
            )
            return Change(task, _emit(after, "task.cancelled", now))
        if task.cancel_requested:
            raise Refused(Reason.REQUEST_CANCEL, f"{task.state}, already requested")
        return Change(task, _next(task, cancel_requested=True))

    def cancel(self, task: TaskDocument, *, epoch: int, now: datetime) -> Change[TaskDocument]:
        """The holder has stopped the work that was to be cancelled."""
        _allow(Reason.CANCEL, task, epoch)
        after = _close(task, now, Outcome.CANCELLED, CANCELLED_BY_USER)
        after = _next(
            after,
            state=TaskState.CANCELLED,
            ended_at=now,
            failure=CANCELLED_BY_USER,
            **_UNOWNED,
        )
        return Change(task, _emit(after, "task.cancelled", now))

    def _failed(self, task: TaskDocument, failure: Failure, now: datetime) -> Change[TaskDocument]:
        after = _close(task, now, Outcome.FAILED, failure)
        facts = {"category": failure.category.value, "message": failure.message}
        delay = self.retry.delay_seconds(task.pipeline, failure.category, task.attempt)
        if delay is None or task.cancel_requested:
            after = _next(after, state=TaskState.FAILED, failure=failure, ended_at=now, **_UNOWNED)
            return Change(task, _emit(after, "task.failed", now, **facts))
        after = _next(
            after,
            state=TaskState.QUEUED,
            attempt=task.attempt + 1,
            dispatched_at=None,
            **_UNOWNED,
        )
        after = _emit(after, "task.retrying", now, **facts, delay_seconds=round(delay, 3))
        return Change(task, after, delay_seconds=delay)


_UNOWNED: Mapping[str, Any] = {"owner": None, "led_by": None, "lease_until": None}


def shares_decode(leader: TaskDocument, task: TaskDocument, pipelines: Container[str]) -> bool:
    """Whether a worker that has claimed the leader should claim this task too, to decode the media once.

    Only tasks that nothing has gone wrong with share: one that has killed its process may do so again, and
    must not take others along a second time.

    Args:
        leader: The task that is claimed already.
        task: Another task of its job.
        pipelines: What the worker can run.
    """
    fresh = leader.attempt == task.attempt == 1
    waiting = task.state is TaskState.QUEUED and not task.cancel_requested and task.next_eligible_at is None
    same = task.id != leader.id and task.media.key == leader.media.key and task.segment == leader.segment
    decode = not (task.waits_for or leader.waits_for)
    return fresh and waiting and same and decode and task.pipeline in pipelines


def _allow(reason: Reason, task: TaskDocument, epoch: int | None = None) -> None:
    if task.state not in LEGAL[reason]:
        raise Refused(reason, task.state)
    if epoch is not None and epoch != task.epoch:
        raise Refused(reason, f"{task.state}, epoch {task.epoch} (not {epoch})")


def _next(task: TaskDocument, **changes: Any) -> TaskDocument:
    return task.model_copy(update={**changes, "rev": task.rev + 1})


def _close(task: TaskDocument, now: datetime, outcome: Outcome, failure: Failure | None) -> TaskDocument:
    """Ends the running attempt."""
    last = task.attempts[-1].model_copy(update={"ended_at": now, "outcome": outcome, "failure": failure})
    return task.model_copy(update={"attempts": (*task.attempts[:-1], last)})


def _emit(task: TaskDocument, kind: str, now: datetime, **data: Any) -> TaskDocument:
    facts = {"pipeline": task.pipeline, "task_id": task.id, "attempt": _attempt_of(task), **data}
    if task.segment is not None:
        # Under a name of its own: who counts pipelines by "task.completed" must not count parts.
        kind = kind.replace("task.", "segment.", 1)
        facts |= {"segment": task.segment.index, "segments": task.segment.count}
    event = TaskEvent(id=new_id(), rev=task.rev, type=kind, time=now, data=facts)
    return task.model_copy(update={"outbox": (*task.outbox, event), "pending_fold": True})


def _attempt_of(task: TaskDocument) -> int:
    return task.attempts[-1].number if task.attempts else task.attempt
