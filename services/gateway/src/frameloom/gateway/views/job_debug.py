"""One job in full: where its time goes, every attempt, its event log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from frameloom.common.documents import Attempt, JobDocument, JobEvent, TaskDocument, TaskState
from frameloom.common.documents.facts import SlotFacts
from frameloom.gateway.schemas.debug import (
    AttemptShape,
    JobDebugFactsShape,
    JobDebugResponse,
    JobDebugShape,
    JobFilesShape,
    JobLogShape,
    ResourceUsageShape,
    TaskDebugShape,
)
from frameloom.gateway.services.debug import JobFacts

_MEGABYTE = 1024**2
_LEAST_FRACTION = 0.02
"""Of a job that has done less than this nobody can tell when it ends."""
_LEVELS = {"failed": "ERROR", "retrying": "WARNING", "cancelled": "WARNING", "released": "WARNING"}


def job(facts: JobFacts) -> JobDebugResponse:
    """The whole job."""
    document, tasks, at = facts.job, facts.tasks, facts.at
    return JobDebugResponse(
        job=JobDebugShape(
            id=document.id,
            status=document.status.value,
            created_at=document.created_at,
            started_at=document.started_at,
            completed_at=document.completed_at,
            debug_info=_debug_info(facts),
            pipeline_logs=[_entry(event) for event in document.events],
            errors=_errors(document, tasks),
            files=_files(document, tasks),
            configuration=document.config,
            selected_pipelines=list(document.selected_pipelines),
            retry_count=sum(max(0, task.attempt - 1) for task in tasks),
            tenant=document.tenant,
            rev=document.rev,
            seq=document.seq,
            relayed_seq=document.relayed_seq,
            planned=document.planned,
            cancel_requested=document.cancel_requested,
            tidied=document.tidied,
            tasks=[_task(task, document.created_at, at) for task in tasks],
        )
    )


def _debug_info(facts: JobFacts) -> JobDebugFactsShape:
    document, tasks = facts.job, facts.tasks
    started = min((task.started_at for task in tasks if task.started_at), default=document.started_at)
    until = document.completed_at or facts.at
    fraction = _fraction(document, tasks)
    running = next((task.pipeline for task in tasks if task.state.leased), None)
    return JobDebugFactsShape(
        queue_wait_time_ms=_ms(started - document.created_at) if started else None,
        processing_time_ms=_ms(until - started) if started else None,
        processing_start_time=started,
        current_pipeline=running,
        progress_percentage=round(fraction * 100, 1),
        estimated_completion=_estimate(started, fraction, facts.at) if running and started else None,
        queue_position=facts.position,
        resource_usage=_usage(facts.slots, tasks, facts.at),
    )


def _fraction(document: JobDocument, tasks: Sequence[TaskDocument]) -> float:
    if not tasks:
        return 1.0 if document.status.terminal else 0.0
    return sum(_done(task) for task in tasks) / len(tasks)


def _done(task: TaskDocument) -> float:
    if task.state is TaskState.COMPLETED:
        return 1.0
    return task.progress.fraction if task.progress and task.state.leased else 0.0


def _estimate(started: datetime, fraction: float, at: datetime) -> datetime | None:
    if fraction < _LEAST_FRACTION:
        return None
    return started + (at - started) / fraction


def _usage(slots: Sequence[SlotFacts], tasks: Iterable[TaskDocument], at: datetime) -> ResourceUsageShape:
    memory = [slot.rss_bytes for slot in slots if slot.rss_bytes is not None]
    cpu = [slot.cpu_percent for slot in slots if slot.cpu_percent is not None]
    gpu = [slot.cuda.memory_allocated_bytes for slot in slots if slot.cuda is not None]
    rates = [rate for task in tasks if (rate := _frames_per_second(task, at)) is not None]
    return ResourceUsageShape(
        gpu_memory_mb=round(sum(gpu) / _MEGABYTE, 1) if gpu else None,
        cpu_usage=round(sum(cpu), 1) if cpu else None,
        memory_mb=round(sum(memory) / _MEGABYTE, 1) if memory else None,
        processing_fps=round(sum(rates), 2) if rates else None,
    )


def _frames_per_second(task: TaskDocument, at: datetime) -> float | None:
    """Since the attempt's start, the fetching of the file included."""
    if task.state is not TaskState.RUNNING or not task.attempts or task.progress is None:
        return None
    seconds = (at - task.attempts[-1].started_at).total_seconds()
    return task.progress.frames_done / seconds if seconds > 0 else None


def _entry(event: JobEvent) -> JobLogShape:
    facts = ", ".join(f"{key} {value}" for key, value in event.data.items() if isinstance(value, str | int))
    return JobLogShape(
        timestamp=event.time,
        level=_LEVELS.get(event.type.rsplit(".", 1)[-1], "INFO"),
        message=f"{event.type}: {facts}" if facts else event.type,
        seq=event.seq,
        id=event.id,
        type=event.type,
        status=event.status.value,
        data=event.data,
    )


def _errors(document: JobDocument, tasks: Iterable[TaskDocument]) -> list[str]:
    found = [document.error_message] if document.error_message else []
    found += [f"{task.pipeline}: {task.failure.message}" for task in tasks if task.failure]
    return found


def _files(document: JobDocument, tasks: Iterable[TaskDocument]) -> JobFilesShape:
    manifests = [task.result.manifest_key for task in tasks if task.result]
    return JobFilesShape(
        input_video=document.media.key,
        output_directory="/".join(manifests[0].split("/")[:2]) + "/" if manifests else None,
        temp_files=[] if document.tidied else [f"chunks/{document.id}/"],
    )


def _task(task: TaskDocument, submitted: datetime, at: datetime) -> TaskDebugShape:
    started = task.started_at
    return TaskDebugShape(
        id=task.id,
        pipeline=task.pipeline,
        state=task.state.value,
        attempt=task.attempt,
        epoch=task.epoch,
        rev=task.rev,
        owner=task.owner,
        lease_until=task.lease_until,
        next_eligible_at=task.next_eligible_at,
        dispatched_at=task.dispatched_at,
        dispatches=task.dispatches,
        cancel_requested=task.cancel_requested,
        stage=task.progress.stage if task.progress else None,
        progress_percentage=round(_done(task) * 100, 1),
        frames_done=task.progress.frames_done if task.progress else None,
        wait_ms=_ms(started - submitted) if started else None,
        run_ms=_ms((task.ended_at or at) - started) if started else None,
        attempts=[_attempt(attempt, at) for attempt in task.attempts],
        failure=task.failure.message if task.failure else None,
    )


def _attempt(attempt: Attempt, at: datetime) -> AttemptShape:
    return AttemptShape(
        number=attempt.number,
        epoch=attempt.epoch,
        worker=attempt.worker,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        seconds=((attempt.ended_at or at) - attempt.started_at).total_seconds(),
        outcome=attempt.outcome.value,
        category=attempt.failure.category.value if attempt.failure else None,
        message=attempt.failure.message if attempt.failure else None,
    )


def _ms(length: timedelta) -> int:
    return max(0, round(length.total_seconds() * 1000))
