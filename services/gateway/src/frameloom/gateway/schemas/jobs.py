"""Jobs and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from frameloom.gateway.schemas import Shape


class Body_submit_job_api_v1_jobs__post(BaseModel):  # noqa: N801 - the name in clients' generated code
    """The form of a submission. Read part by part; this is its description."""

    video: bytes = Field(
        title="Video",
        description="Media file to process: MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WAV, MP3, FLAC or Ogg",
        json_schema_extra={"format": "binary"},
    )
    config: str | None = Field(
        default=None,
        title="Config",
        description="JSON object of pipeline parameters, by pipeline name. "
        'Example: \'{"scene_detection":{"threshold":30}}\'',
    )
    selected_pipelines: str | None = Field(
        default=None,
        title="Selected Pipelines",
        description="Comma-separated names of the pipelines to run. "
        "GET /api/v1/pipelines lists them; none named: scene_detection and person_tracking.",
    )
    video_url: str | None = Field(
        default=None,
        title="Video Url",
        description="Where the server shall fetch the file, instead of the part `video`: a public https "
        "address. Only where the operator allows it.",
    )


class JobByUrl(BaseModel):
    """A submission whose file the server fetches, as JSON. Only where the operator allows it."""

    model_config = ConfigDict(extra="forbid")

    video_url: str = Field(min_length=1, description="A public https address of the file")
    selected_pipelines: list[str] | str | None = Field(
        default=None, description="Names, as a list or with commas between"
    )
    config: dict[str, Any] | None = None


class ListQuery(BaseModel):
    """Which page of the jobs."""

    page: int = Field(default=1, ge=1, le=10**9, title="Page")
    per_page: int = Field(default=10, ge=1, le=1000, title="Per Page")
    status_filter: str | None = Field(default=None, title="Status Filter")


class DownloadQuery(BaseModel):
    """How a file is to be had."""

    redirect: bool | None = Field(
        default=None,
        title="Redirect",
        description="Lead to the object store, for a short while, instead of sending the bytes; "
        "the server's setting decides unless given",
    )


class VideoQuery(DownloadQuery):
    """How a job's video is to be had, and in whose name."""

    token: str | None = Field(
        default=None,
        title="Token",
        description="A short-lived token in the place of a key, for a `<video>`, which can send no header",
    )


class FileQuery(DownloadQuery):
    """Which file of a pipeline's result, and how."""

    file: str | None = Field(default=None, title="File", description="File name; the first file unless given")


class JobResponse(Shape):
    """Response model for job information."""

    id: str = Field(title="Id")
    status: str = Field(title="Status")
    video_path: str | None = Field(default=None, title="Video Path")
    video_filename: str | None = Field(
        default=None, title="Video Filename", description="Original video filename"
    )
    video_size_bytes: int | None = Field(
        default=None, title="Video Size Bytes", description="Video file size in bytes"
    )
    video_duration_seconds: int | None = Field(
        default=None, title="Video Duration Seconds", description="Video duration in seconds"
    )
    config: dict[str, Any] | None = Field(default=None, title="Config")
    selected_pipelines: list[str] | None = Field(default=None, title="Selected Pipelines")
    created_at: datetime | None = Field(default=None, title="Created At")
    completed_at: datetime | None = Field(default=None, title="Completed At")
    error_message: str | None = Field(default=None, title="Error Message")
    result_path: str | None = Field(default=None, title="Result Path")
    storage_path: str | None = Field(default=None, title="Storage Path")
    queue_position: int | None = Field(
        default=None, title="Queue Position", description="Place among the pending jobs, 1 is next"
    )


class CancelResponse(JobResponse):
    """A cancelled job: as the original answers it, and the fields beside it that its viewer looks for."""

    job_id: str = Field(title="Job Id")
    message: str = Field(title="Message")
    cancelled_at: datetime | None = Field(default=None, title="Cancelled At")


class JobListResponse(Shape):
    """Response model for job listing."""

    jobs: list[JobResponse] = Field(title="Jobs")
    total: int = Field(title="Total")
    page: int = Field(title="Page")
    per_page: int = Field(title="Per Page")


class AttemptResponse(Shape):
    """One try of a pipeline by one worker."""

    number: int
    worker: str
    outcome: str = Field(description="running, completed, failed, released or cancelled")
    started_at: datetime
    ended_at: datetime | None = None
    category: str | None = Field(default=None, description="Why it failed, for programs")
    message: str | None = Field(default=None, description="Why it failed, for people")


class ResultFileResponse(Shape):
    """A file of a result."""

    filename: str
    size_bytes: int
    sha256: str
    format: str
    media_type: str
    annotation_count: int
    download_url: str


class PipelineResultResponse(Shape):
    """Response model for individual pipeline results."""

    pipeline_name: str = Field(title="Pipeline Name")
    status: str = Field(title="Status")
    start_time: datetime | None = Field(default=None, title="Start Time")
    end_time: datetime | None = Field(default=None, title="End Time")
    processing_time: float | None = Field(default=None, title="Processing Time")
    annotation_count: int | None = Field(default=None, title="Annotation Count")
    output_file: str | None = Field(default=None, title="Output File")
    download_url: str | None = Field(default=None, title="Download Url")
    error_message: str | None = Field(default=None, title="Error Message")
    error_category: str | None = Field(default=None, title="Error Category")
    attempts: list[AttemptResponse] = Field(default=[], title="Attempts")
    files: list[ResultFileResponse] = Field(default=[], title="Files")


class JobResultsResponse(Shape):
    """Response model for job results."""

    job_id: str = Field(title="Job Id")
    status: str = Field(title="Status")
    pipeline_results: dict[str, PipelineResultResponse] = Field(title="Pipeline Results")
    created_at: datetime | None = Field(default=None, title="Created At")
    completed_at: datetime | None = Field(default=None, title="Completed At")
    result_path: str | None = Field(default=None, title="Result Path")
    error_message: str | None = Field(default=None, title="Error Message")
