"""Jobs and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from frameloom.client.models.answer import TERMINAL, Answer


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
