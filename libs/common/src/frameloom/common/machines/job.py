"""The job's state machine: planning, folding tasks in, cancelling, deleting. Pure functions over the job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from frameloom.common.clock import new_id, segment_task_id, task_id
from frameloom.common.documents.job import JobDocument, JobEvent, JobStatus, MediaRef, TaskSummary
from frameloom.common.documents.media import MediaFacts
from frameloom.common.documents.segments import Segment
from frameloom.common.documents.task import TaskDocument, TaskEvent, TaskState
from frameloom.common.machines import segments
from frameloom.common.machines.sections import config_of
from frameloom.common.machines.transition import Change, Refused
from frameloom.common.pipelines import Segmentation


class Reason(StrEnum):
    """Why a job changes."""

    PLAN = "plan"
    FOLD = "fold"
    REQUEST_CANCEL = "request_cancel"
    TIDY = "tidy"
    DELETE = "delete"
    PURGE = "purge"


_S = JobStatus
LEGAL: dict[Reason, frozenset[JobStatus]] = {
    Reason.PLAN: frozenset({_S.PENDING}),
    Reason.FOLD: frozenset({_S.PENDING, _S.RUNNING}),
    Reason.REQUEST_CANCEL: frozenset({_S.PENDING, _S.RUNNING, _S.CANCELLED}),
    Reason.TIDY: frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.DELETED}),
    Reason.DELETE: frozenset({_S.PENDING, _S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    Reason.PURGE: frozenset({_S.DELETED}),
}

CANCELLED_MESSAGE = "Job cancelled by user request"


class Cause(StrEnum):
    """Why a job was deleted."""

    REQUEST = "request"
    RETENTION = "retention"
    """It was kept as long as the operator wants jobs to be kept."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client asked for."""

    job_id: str
    tenant: str
    media: MediaRef
    pipelines: tuple[str, ...]
    config: dict[str, Any]
    priority: int = 0
    requested: tuple[str, ...] = ()
    """What the client called the pipelines, where that is not their names."""
    warnings: tuple[dict[str, Any], ...] = ()
    """What was noticed about the configuration and did not keep it from being accepted."""
    facts: MediaFacts | None = None
    key_id: str | None = None
    """The API key that it counts against."""


def submit(submission: Submission, now: datetime) -> JobDocument:
    """The new job document, with ``job.submitted`` as its first event."""
    job = JobDocument(
        id=submission.job_id,
        tenant=submission.tenant,
        key_id=submission.key_id,
        media=submission.media,
        facts=submission.facts,
        video_duration_seconds=submission.facts.duration_seconds if submission.facts else None,
        config=submission.config,
        selected_pipelines=submission.pipelines,
        priority=submission.priority,
        created_at=now,
        updated_at=now,
        rev=1,
    )
    told: dict[str, Any] = {
        "pipelines": list(submission.pipelines),
        "video_filename": submission.media.filename,
    }
    if submission.requested and submission.requested != submission.pipelines:
        told["requested"] = list(submission.requested)
    if submission.warnings:
        told["warnings"] = list(submission.warnings)
    return _emit(job, "job.submitted", now, **told)


def plan_tasks(
    job: JobDocument,
    now: datetime,
    segmentations: Mapping[str, Segmentation] | None = None,
    limits: segments.Limits | None = None,
) -> list[TaskDocument]:
    """The tasks of a job: one per pipeline, and one per segment. Planning twice names the same tasks.

    Args:
        job: The job.
        now: The time of planning.
        segmentations: How pipelines that can work in segments want the media cut.
        limits: What the operator says about that.
    """
    tasks = []
    for name in job.selected_pipelines:
        config = config_of(job.config, name, job.selected_pipelines)
        wanted = (segmentations or {}).get(name)
        parts = segments.cut(job.facts, wanted, config, limits or segments.Limits())
        whole = _task(job, name, config, now)
        pieces = [_piece(whole, part) for part in parts]
        if pieces:
            waits_for = tuple(piece.id for piece in pieces)
            whole = whole.model_copy(update={"state": TaskState.WAITING, "waits_for": waits_for})
        tasks += [whole, *pieces]
    return tasks


def _task(job: JobDocument, pipeline: str, config: dict[str, Any], now: datetime) -> TaskDocument:
    return TaskDocument(
        id=task_id(job.id, pipeline),
        job_id=job.id,
        tenant=job.tenant,
        pipeline=pipeline,
        priority=job.priority,
        media=job.media,
        config=config,
        siblings=len(job.selected_pipelines) - 1,
        created_at=now,
    )


def _piece(whole: TaskDocument, part: Segment) -> TaskDocument:
    key = segment_task_id(whole.job_id, whole.pipeline, part.index, part.count)
    return whole.model_copy(update={"id": key, "segment": part})


def planned(job: JobDocument, tasks: Sequence[TaskDocument], now: datetime) -> Change[JobDocument]:
    """The job knows its tasks.

    Raises:
        Refused: The job is planned already, or over.
    """
    _allow(Reason.PLAN, job)
    if job.planned or job.cancel_requested:
        raise Refused(Reason.PLAN, f"{job.status}, planned {job.planned}, cancel {job.cancel_requested}")
    wholes = tuple(_planned(task) for task in tasks if task.segment is None)
    pieces = tuple(_planned(task) for task in tasks if task.segment is not None)
    return Change(job, _next(job, now, planned=True, tasks=wholes, segments=pieces))


def _planned(task: TaskDocument) -> TaskSummary:
    return TaskSummary(id=task.id, pipeline=task.pipeline, state=task.state)


def fold(job: JobDocument, tasks: Iterable[TaskDocument], now: datetime) -> Change[JobDocument]:
    """Brings the job up to date with its tasks: their pending events in order, then the status.

    Folding the same task twice changes nothing, and the order of arrival does not matter.

    Raises:
        Refused: There is nothing new, or the job is over.
    """
    _allow(Reason.FOLD, job)
    known = {summary.id: summary for summary in (*job.tasks, *job.segments)}
    news: list[TaskEvent] = []
    for task in tasks:
        summary = known.get(task.id)
        if summary is None or task.rev <= summary.rev:
            continue
        news.extend(event for event in task.outbox if event.rev > summary.rev)
        known[task.id] = _summary(task)
    summaries = tuple(_since_its_segments(known[summary.id], known.values()) for summary in job.tasks)
    pieces = tuple(known[summary.id] for summary in job.segments)
    if summaries == job.tasks and pieces == job.segments:
        raise Refused(Reason.FOLD, f"{job.status}, nothing new")
    lengths = (summary.result.media_seconds for summary in summaries if summary.result)
    length = next((seconds for seconds in lengths if seconds is not None), job.video_duration_seconds)
    after = _begin(_next(job, now, tasks=summaries, segments=pieces, video_duration_seconds=length), now)
    for event in sorted(news, key=lambda event: event.time):
        after = _emit(after, event.type, event.time, event_id=event.id, **event.data)
    return Change(job, _end(after, now))


def request_cancel(job: JobDocument, now: datetime) -> Change[JobDocument]:
    """A client wants the job cancelled: the job is cancelled at once, its tasks follow.

    Raises:
        Refused: The job is over, or cancelled already.
    """
    _allow(Reason.REQUEST_CANCEL, job)
    if job.status is JobStatus.CANCELLED:
        raise Refused(Reason.REQUEST_CANCEL, job.status)
    after = _next(
        job,
        now,
        status=JobStatus.CANCELLED,
        cancel_requested=True,
        completed_at=now,
        error_message=CANCELLED_MESSAGE,
    )
    return Change(job, _emit(after, "job.cancelled", now))


def tidied(job: JobDocument, now: datetime) -> Change[JobDocument]:
    """What the job no longer needs is gone from the bucket."""
    _allow(Reason.TIDY, job)
    if job.tidied:
        raise Refused(Reason.TIDY, f"{job.status}, tidied")
    return Change(job, _next(job, now, tidied=True))


def delete(job: JobDocument, now: datetime, cause: Cause = Cause.REQUEST) -> Change[JobDocument]:
    """The job is gone from now on, whatever its tasks do: its document becomes a tombstone.

    The tombstone says what is left to remove, and late messages meet it. It goes by :func:`purge`.

    Raises:
        Refused: It is deleted already.
    """
    _allow(Reason.DELETE, job)
    after = _next(job, now, status=JobStatus.DELETED, cancel_requested=True, tidied=False, deleted_at=now)
    facts = {"cause": cause.value, "was": job.status.value, "created_at": job.created_at.isoformat()}
    return Change(job, _emit(after, "job.deleted", now, **facts))


def purge(job: JobDocument) -> None:
    """Whether the tombstone itself may go: answers nothing if so.

    Raises:
        Refused: It is no tombstone, the bucket was not swept yet, or not all of its events are in Kafka.
    """
    _allow(Reason.PURGE, job)
    if not job.tidied or job.relay_due:
        raise Refused(Reason.PURGE, f"{job.status}, tidied {job.tidied}, relay due {job.relay_due}")


def _since_its_segments(whole: TaskSummary, all_of_them: Iterable[TaskSummary]) -> TaskSummary:
    """A pipeline that runs in segments has started with the first of them."""
    times = [s.started_at for s in all_of_them if s.pipeline == whole.pipeline and s.started_at]
    return whole.model_copy(update={"started_at": min(times)}) if times else whole


def _summary(task: TaskDocument) -> TaskSummary:
    worker = task.attempts[-1].worker if task.attempts else None
    number = task.attempts[-1].number if task.attempts else task.attempt
    return TaskSummary(
        id=task.id,
        pipeline=task.pipeline,
        rev=task.rev,
        state=task.state,
        attempt=number,
        worker=worker,
        started_at=task.started_at,
        ended_at=task.ended_at,
        failure=task.failure,
        result=task.result,
    )


def _begin(job: JobDocument, now: datetime) -> JobDocument:
    """The first task that a worker claims starts the job."""
    if job.status is JobStatus.PENDING and any(s.started_at for s in (*job.tasks, *job.segments)):
        running = job.model_copy(update={"status": JobStatus.RUNNING, "started_at": now})
        return _emit(running, "job.started", now)
    return job


def _end(job: JobDocument, now: datetime) -> JobDocument:
    """The last task that ends ends the job."""
    if not all(summary.state.terminal for summary in job.tasks):
        return job
    status, message = _verdict(job)
    job = job.model_copy(update={"status": status, "completed_at": now, "error_message": message})
    return _emit(job, f"job.{status}", now, **({"error_message": message} if message else {}))


def _verdict(job: JobDocument) -> tuple[JobStatus, str | None]:
    done = [summary for summary in job.tasks if summary.state is TaskState.COMPLETED]
    failed = [summary for summary in job.tasks if summary.state is TaskState.FAILED]
    if not failed:
        return (JobStatus.COMPLETED, None) if done else (JobStatus.CANCELLED, CANCELLED_MESSAGE)
    names = ", ".join(sorted(summary.pipeline for summary in failed))
    if done:
        return JobStatus.COMPLETED, f"Completed with errors. Failed pipelines: {names}"
    reasons = list(dict.fromkeys(s.failure.message for s in failed if s.failure))
    return JobStatus.FAILED, " ".join(["All pipelines failed.", *reasons])


def _allow(reason: Reason, job: JobDocument) -> None:
    if job.status not in LEGAL[reason]:
        raise Refused(reason, job.status)


def _next(job: JobDocument, now: datetime, **changes: Any) -> JobDocument:
    return job.model_copy(update={**changes, "rev": job.rev + 1, "updated_at": now})


def _emit(
    job: JobDocument, kind: str, now: datetime, *, event_id: str | None = None, **data: Any
) -> JobDocument:
    event = JobEvent(
        id=event_id or new_id(), seq=job.seq + 1, type=kind, status=job.status, time=now, data=data
    )
    return job.model_copy(update={"events": (*job.events, event), "seq": event.seq, "relay_due": True})
