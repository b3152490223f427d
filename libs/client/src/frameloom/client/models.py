"""What the gateway answers, typed.

Tolerant: a field that this version does not know is kept, so that ``--json`` shows all the server said,
and a status is any word, so that a newer server does not break an older client.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""Statuses that nothing leaves, of jobs and of pipelines alike."""


class Answer(BaseModel):
    """Base: frozen, and unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Job(Answer):
    """One job (JobResponse of the API)."""

    id: str
    status: str
    video_filename: str | None = None
    video_size_bytes: int | None = None
    video_duration_seconds: float | None = None
    config: dict[str, Any] | None = None
    selected_pipelines: tuple[str, ...] | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    queue_position: int | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in TERMINAL


class JobPage(Answer):
    """One page of the list of jobs."""

    jobs: tuple[Job, ...]
    total: int
    page: int
    per_page: int


class ResultFile(Answer):
    """One file of a pipeline's result."""

    filename: str
    size_bytes: int | None = None
    sha256: str | None = None
    """Lower-case hexadecimal."""
    format: str | None = None
    media_type: str | None = None


class PipelineResult(Answer):
    """How one pipeline of a job did."""

    pipeline_name: str
    status: str
    processing_time: float | None = None
    """Seconds."""
    annotation_count: int | None = None
    output_file: str | None = None
    download_url: str | None = None
    error_message: str | None = None
    error_category: str | None = None
    attempts: tuple[dict[str, Any], ...] = ()
    files: tuple[ResultFile, ...] = ()

    @property
    def downloads(self) -> tuple[ResultFile, ...]:
        """Its files; a server that lists none may still name one in ``output_file``."""
        if self.files or not (self.output_file and self.download_url):
            return self.files
        return (ResultFile(filename=self.output_file),)


class JobResults(Answer):
    """The results of a job, in whatever state it is."""

    job_id: str
    status: str
    pipeline_results: dict[str, PipelineResult] = Field(default_factory=dict)
    error_message: str | None = None

    @property
    def succeeded(self) -> bool:
        """The job completed, and every pipeline of it."""
        return self.status == "completed" and all(
            result.status == "completed" for result in self.pipeline_results.values()
        )


class Pipeline(Answer):
    """A pipeline that the server offers (PipelineInfo of the API)."""

    name: str
    display_name: str | None = None
    description: str = ""
    enabled: bool = True
    pipeline_family: str | None = None
    variant: str | None = None
    stability: str | None = None
    tasks: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    config_schema: dict[str, Any] = Field(default_factory=dict)


class PipelineList(Answer):
    """All pipelines that the server offers."""

    pipelines: tuple[Pipeline, ...]
    total: int | None = None


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
        return kind == "job" and word in TERMINAL

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
