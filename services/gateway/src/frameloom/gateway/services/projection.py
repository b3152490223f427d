"""How a job's event log reads in the words of VideoAnnotator's viewer. Pure.

A :class:`JobView` is the log folded up to some sequence, with the newest telemetry. From the views before
and after an event, and the event, follow the frames that tell it: the same whether the event came live or
from the document, and on whichever gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from frameloom.common.documents import JobEvent
from frameloom.common.events import JobEventMessage, TaskProgressed
from frameloom.gateway.services.frames import Frame, iso

LogEvent = JobEvent | JobEventMessage
LAST = frozenset({"job.completed", "job.failed", "job.cancelled", "job.deleted"})
"""After these a job has nothing more to tell, but that it was deleted."""

_STATES = {
    "task.started": "running",
    "task.retrying": "waiting",
    "task.released": "waiting",
    "task.completed": "completed",
    "task.failed": "failed",
    "task.cancelled": "cancelled",
}
_STATES |= {kind.replace("task.", "segment."): state for kind, state in _STATES.items()}
_OVER = {"completed", "failed", "cancelled"}
_LEVELS = {"task.retrying": "WARNING", "task.failed": "ERROR"}
_LEVELS |= {kind.replace("task.", "segment."): level for kind, level in _LEVELS.items()}


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task, as the log and the telemetry tell of it.

    Attributes:
        pipeline: What runs.
        state: waiting, running, completed, failed or cancelled.
        epoch: Claim of the newest telemetry; that of an older claim is passed over.
        fraction: How much of the work is done, 0 to 1.
        frames: Frames done.
        seconds: Seconds of the media done.
        segments: It works on one of so many segments; 0: on the whole, or it stitches them.
        annotations: How many there are, once completed.
        files: Names of the result files, once completed.
        category: Why it failed, once it has.
        message: The same as a sentence.
    """

    pipeline: str
    state: str = "waiting"
    epoch: int = 0
    fraction: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    segments: int = 0
    annotations: int | None = None
    files: tuple[str, ...] = ()
    category: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, as its log up to ``seq`` and the newest telemetry tell of it."""

    job_id: str
    seq: int = 0
    status: str = "pending"
    pipelines: tuple[str, ...] = ()
    tasks: Mapping[str, TaskView] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """It has come to its end."""
        return self.status not in {"pending", "running"}

    @property
    def progress(self) -> float:
        """Per cent of the work, 0 to 100: the mean over the pipelines; one that has ended counts whole."""
        if self.status == "completed":
            return 100.0
        names = dict.fromkeys((*self.pipelines, *(task.pipeline for task in self.tasks.values())))
        if not names:
            return 0.0
        return round(100 * sum(_share(self.of(name)) for name in names) / len(names), 1)

    def of(self, pipeline: str) -> list[TaskView]:
        """The tasks of a pipeline: one, or those of its segments beside it."""
        return [task for task in self.tasks.values() if task.pipeline == pipeline]


def fold(view: JobView, event: LogEvent) -> JobView:
    """The view after an event of the log."""
    after = replace(view, seq=max(view.seq, event.seq), status=str(event.status))
    if event.type == "job.submitted":
        named = event.data.get("pipelines")
        return replace(after, pipelines=tuple(map(str, named))) if isinstance(named, list) else after
    task_id, state = event.data.get("task_id"), _STATES.get(event.type)
    if not isinstance(task_id, str) or state is None:
        return after
    segments = int(event.data.get("segments") or 0)
    known = view.tasks.get(task_id) or TaskView(str(event.data.get("pipeline") or ""), segments=segments)
    return replace(after, tasks={**view.tasks, task_id: _task(known, state, event.data)})


def advance(view: JobView, told: TaskProgressed) -> JobView | None:
    """The view after telemetry; None if that says nothing new: of an older claim, or of what is over."""
    task = view.tasks.get(told.task_id) or TaskView(told.pipeline, segments=told.segments)
    if view.over or task.state in _OVER or told.epoch < task.epoch:
        return None
    done = told.progress
    task = replace(
        task,
        state="running",
        epoch=told.epoch,
        fraction=min(1.0, max(0.0, done.fraction)),
        frames=done.frames_done,
        seconds=done.media_seconds_done,
    )
    return replace(view, tasks={**view.tasks, told.task_id: task})


def viewer_frames(before: JobView, after: JobView, event: LogEvent) -> tuple[Frame, ...]:
    """An event of the log for the viewer.

    Only the last frame has the id, so that after a break between two of them both come again.
    """
    frames = [Frame(name, body) for name, body in _viewer_bodies(before, after, event)]
    last = frames.pop()
    return (*frames, Frame(last.event, last.data, id=f"{after.job_id}:{event.seq}"))


def viewer_progress(after: JobView, told: TaskProgressed) -> tuple[Frame, ...]:
    """Telemetry for the viewer: the job's progress, and beside it that of the task."""
    body = {**_update(after, iso(told.time)), "task": _facts(after, told)}
    return (Frame("job.update", body),)


def event_frames(job_id: str, event: LogEvent) -> tuple[Frame, ...]:
    """An event of the log in our own words."""
    body = {
        "job_id": job_id,
        "seq": event.seq,
        "id": event.id,
        "type": event.type,
        "status": str(event.status),
        "time": iso(event.time),
        "data": event.data,
    }
    return (Frame(event.type, body, id=f"{job_id}:{event.seq}"),)


def event_progress(after: JobView, told: TaskProgressed) -> tuple[Frame, ...]:
    """Telemetry in our own words."""
    facts = _facts(after, told)
    body = {"job_id": told.job_id, "type": "task.progress", "time": iso(told.time), "data": facts}
    return (Frame("task.progress", body),)


def _viewer_bodies(before: JobView, after: JobView, event: LogEvent) -> list[tuple[str, dict[str, Any]]]:
    at = iso(event.time)
    match event.type:
        case "job.completed":
            return [("job.complete", _complete(after, event, at))]
        case "job.failed":
            return [("job.error", _error(after, event, at))]
        case "job.cancelled":
            message = event.data.get("error_message") or "Job cancelled by user request"
            return [("job.cancelled", {**_update(after, at, "job.cancelled"), "message": message})]
        case "job.deleted":
            cause = event.data.get("cause")
            return [("job.deleted", {**_update(after, at, "job.deleted"), "cause": cause})]
        case _ if event.type.startswith(("task.", "segment.")):
            bodies = [("job.log", _log(event, after.job_id, at))]
            if (before.status, before.progress) != (after.status, after.progress):
                bodies.append(("job.update", _update(after, at)))
            return bodies
    return [("job.update", _update(after, at))]


def _update(view: JobView, at: str, kind: str = "job.update") -> dict[str, Any]:
    return {
        "type": kind,
        "job_id": view.job_id,
        "status": view.status,
        "progress": view.progress,
        "timestamp": at,
    }


def _complete(view: JobView, event: LogEvent, at: str) -> dict[str, Any]:
    done = [task for task in view.tasks.values() if task.state == "completed" and not task.segments]
    results = {
        task.pipeline: {"annotation_count": task.annotations, "files": list(task.files)} for task in done
    }
    body = {
        **_update(view, at, "job.complete"),
        "completion_time": at,
        "artifacts": [name for task in done for name in task.files],
        "results": results,
    }
    message = event.data.get("error_message")
    return {**body, "error_message": message, "failures": _failures(view)} if message else body


def _error(view: JobView, event: LogEvent, at: str) -> dict[str, Any]:
    failures = _failures(view)
    categories = {failure["category"] for failure in failures.values()}
    code = str(categories.pop()).upper() if len(categories) == 1 else "JOB_FAILED"
    return {
        **_update(view, at, "job.error"),
        "error_code": code,
        "error_message": event.data.get("error_message") or "The job failed",
        "failures": failures,
    }


def _failures(view: JobView) -> dict[str, dict[str, str | None]]:
    return {
        task.pipeline: {"category": task.category, "message": task.message}
        for task in view.tasks.values()
        if task.state == "failed" and not task.segments
    }


def _log(event: LogEvent, job_id: str, at: str) -> dict[str, Any]:
    pipeline = str(event.data.get("pipeline") or "task")
    return {
        "type": "job.log",
        "job_id": job_id,
        "level": _LEVELS.get(event.type, "INFO"),
        "message": f"{pipeline}: {_part(event)}{_sentence(event)}",
        "pipeline": pipeline,
        "attempt": event.data.get("attempt"),
        "timestamp": at,
    }


def _part(event: LogEvent) -> str:
    count = event.data.get("segments")
    return f"segment {int(event.data.get('segment') or 0) + 1} of {count}, " if count else ""


def _sentence(event: LogEvent) -> str:
    data = event.data
    attempt, reason = data.get("attempt", 1), f"({data.get('category')}): {data.get('message')}"
    match event.type.replace("segment.", "task."):
        case "task.completed" if data.get("segments"):
            told = "completed"
        case "task.started":
            told = f"attempt {attempt} started on worker {data.get('worker')}"
        case "task.retrying":
            told = f"attempt {attempt} failed {reason} Tried again in {data.get('delay_seconds', 0):g} s."
        case "task.failed":
            told = f"failed for good in attempt {attempt} {reason}"
        case "task.released":
            told = "given back by a worker that shuts down; another one takes it"
        case "task.completed":
            files = ", ".join(_names(data.get("files")))
            told = f"completed with {data.get('annotation_count', 0)} annotations"
            told += f" in {files}" if files else ""
        case _:
            told = str(data.get("message") or event.type.partition(".")[2].replace("_", " "))
    return told


def _facts(view: JobView, told: TaskProgressed) -> dict[str, Any]:
    """The telemetry; where segments work side by side it is that of their pipeline as a whole."""
    facts = {
        "task_id": told.task_id,
        "pipeline": told.pipeline,
        "epoch": told.epoch,
        **told.progress.model_dump(mode="json"),
    }
    tasks = view.of(told.pipeline)
    if any(task.segments for task in tasks):
        facts |= {
            "epoch": max(task.epoch for task in tasks),
            "fraction": round(_share(tasks), 4),
            "frames_done": sum(task.frames for task in tasks),
            "media_seconds_done": round(sum(task.seconds for task in tasks), 3),
        }
    return facts


def _task(task: TaskView, state: str, data: Mapping[str, Any]) -> TaskView:
    if state == "completed":
        count = data.get("annotation_count")
        known = count if isinstance(count, int) else None
        return replace(task, state=state, fraction=1.0, annotations=known, files=_names(data.get("files")))
    if state == "failed":
        return replace(task, state=state, category=data.get("category"), message=data.get("message"))
    if state == "cancelled":
        return replace(task, state=state)
    # A new claim begins again, and each has a higher epoch: what still comes of the last one is late.
    epoch = task.epoch + 1 if state == "waiting" and task.epoch else task.epoch
    return replace(task, state=state, fraction=0.0, frames=0, seconds=0.0, epoch=epoch)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def _share(tasks: list[TaskView]) -> float:
    """How much of a pipeline's work is done: of its segments, and of stitching them."""
    whole = [task for task in tasks if not task.segments]
    if any(task.state in _OVER for task in whole):
        return 1.0
    done = sum(1.0 if task.state in _OVER else task.fraction for task in tasks)
    steps = max((task.segments for task in tasks), default=0) + 1
    return min(1.0, done / steps)
