"""What an event stream carries."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from frameloom.client.models.answer import TERMINAL, Answer


class JobEvent(Answer):
    """An entry of a job's event log, such as ``job.submitted`` or ``task.started``.

    ``seq`` counts from 1 for each job without a gap. It is None when the client learnt the state by asking,
    because no event stream could be had.
    """

    job_id: str
    type: str
    status: str | None = None
    seq: int | None = None
    id: str | None = None
    time: datetime | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def ends_job(self) -> bool:
        """The last event of its job."""
        kind, _, word = self.type.partition(".")
        return kind == "job" and (word in TERMINAL or word == "deleted")

    @property
    def pipeline(self) -> str | None:
        """The pipeline it is about, for an event of a task."""
        name = self.data.get("pipeline")
        return name if isinstance(name, str) else None


class Progress(Answer):
    """How far a task is."""

    stage: str = ""
    fraction: float = 0.0
    """0 to 1."""
    frames_done: int = 0
    media_seconds_done: float = 0.0


class TaskProgress(Answer):
    """Progress of a running task: telemetry, neither stored nor replayed."""

    type: Literal["task.progress"] = "task.progress"
    job_id: str
    task_id: str | None = None
    pipeline: str
    epoch: int = 0
    progress: Progress


FeedItem = JobEvent | TaskProgress
"""What the event stream of a job carries."""
