"""For those who look for a fault; with VideoAnnotator's field names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from frameloom.gateway.schemas import Shape, absent
from frameloom.gateway.schemas.fleet import ADMIN_ONLY, ModelShape, ProcessShape


class ServerShape(Shape):
    """The gateway that answers."""

    version: str
    videoannotator_version: str
    environment: str
    start_time: datetime
    uptime_seconds: int
    debug_mode: bool
    api_base_path: str
    id: str
    host: str
    pid: int


class DebugDatabaseShape(Shape):
    """The database."""

    backend: str
    path: str | None = Field(description="Its name")
    connection_status: str
    total_jobs: int | None
    active_connections: int | None = Field(description="Open ones of this gateway")
    size_mb: float | None


class DebugPipelineStatesShape(Shape):
    """The pipelines of the fleet."""

    initialized: list[str] = Field(description="Run by a live worker")
    available: list[str] = Field(description="Offered as able to run")
    loading_errors: list[str]
    total_available: int
    initialization_time: str | None = Field(
        description="How long the slowest child process of a live worker took to be ready"
    )


class DebugGpuShape(Shape):
    """The GPUs of all workers together."""

    available: bool
    error: str | None = Field(default=None, exclude_if=absent)
    device_count: int
    current_device: int | None
    device_name: str | None
    memory_allocated_gb: float | None
    memory_reserved_gb: float | None


class DebugSystemShape(Shape):
    """The host of this gateway; null: not looked at yet."""

    platform: str
    python_version: str
    cpu_count: int | None
    cpu_usage_percent: float | None
    memory_total_gb: float | None
    memory_used_gb: float | None
    memory_usage_percent: float | None
    gpu: DebugGpuShape


class RequestStatsShape(Shape):
    """What this gateway has answered since it started."""

    total_requests: int
    requests_last_hour: int
    average_response_time_ms: float = Field(description="Until the answer began")


class ServerInfoResponse(Shape):
    """The gateway, what it stands on, and the fleet around it."""

    server: ServerShape
    database: DebugDatabaseShape
    pipelines: DebugPipelineStatesShape
    system: DebugSystemShape
    request_stats: RequestStatsShape
    fleet: list[ProcessShape]


class TokenRateShape(Shape):
    """The limit of requests at this gateway; null: there is none."""

    requests_per_minute: int | None
    requests_per_hour: int | None
    remaining_this_minute: int | None
    remaining_this_hour: int | None
    reset_at: datetime | None = Field(description="When all of the burst is there again")
    burst: int | None
    remaining: int | None = Field(description="Requests that may come at once")


class TokenShape(Shape):
    """The key that the request came with."""

    valid: bool
    user_id: str | None = Field(description="Id of the key; null: none was needed")
    username: str = Field(description="Its name")
    permissions: list[str] = Field(description="Its scopes")
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    tenant: str
    status: str = Field(description="active or retiring; none without a key")
    prefix: str | None
    rate_limit: TokenRateShape


class TokenSessionShape(Shape):
    """The key's use of this gateway since it started."""

    first_request: datetime | None
    last_request: datetime | None
    total_requests: int


class TokenInfoResponse(Shape):
    """What is known about the key."""

    token: TokenShape
    session: TokenSessionShape


class ComponentShape(Shape):
    """A model of a pipeline."""

    name: str
    enabled: bool
    model_loaded: bool = Field(description="Some slot keeps it loaded")
    loaded_in_slots: int
    model: ModelShape
    cached: bool | None = Field(description="In the cache of the worker that offered the pipeline")
    error: str | None = Field(default=None, exclude_if=absent)
    parameters: dict[str, Any]


class PipelineWorkerShape(Shape):
    """A worker that runs a pipeline."""

    id: str
    status: str
    slots_total: int
    slots_busy: int = Field(description="With this pipeline")
    slots_warm: int = Field(description="That have run it before")
    host: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)


class DebugPipelineShape(Shape):
    """A pipeline and who runs it."""

    name: str
    display_name: str
    description: str
    version: str
    status: str = Field(description="ready, no_worker or unavailable")
    enabled: bool
    reason: str | None = Field(default=None, description="Why it can not run", exclude_if=absent)
    warm: bool = Field(description="Some slot has run it and keeps what it loaded")
    components: list[ComponentShape]
    parameters: dict[str, Any] = Field(description="Its settings: type, default, min, max")
    workers: list[PipelineWorkerShape]
    queued_tasks: int | None
    running_tasks: int | None


class DebugPipelinesResponse(Shape):
    """Every offered pipeline."""

    pipelines: list[DebugPipelineShape]


class ResourceUsageShape(Shape):
    """What the child processes use that work on the job now; null: none does, or it is not told."""

    gpu_memory_mb: float | None
    cpu_usage: float | None
    memory_mb: float | None
    processing_fps: float | None


class JobDebugFactsShape(Shape):
    """Where the time goes."""

    queue_wait_time_ms: int | None = Field(description="From its submission to its first task's start")
    processing_time_ms: int | None = Field(description="From there to its end, or until now")
    processing_start_time: datetime | None
    current_pipeline: str | None
    progress_percentage: float = Field(description="Mean over its pipelines")
    estimated_completion: datetime | None = Field(description="From the progress so far")
    queue_position: int | None
    resource_usage: ResourceUsageShape


class JobLogShape(Shape):
    """An entry of the job's event log."""

    timestamp: datetime
    level: str
    message: str
    seq: int
    id: str
    type: str
    status: str
    data: dict[str, Any]


class AttemptShape(Shape):
    """One claim of a task by one worker."""

    number: int
    epoch: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    outcome: str
    category: str | None = Field(default=None, exclude_if=absent)
    message: str | None = Field(default=None, exclude_if=absent)


class TaskDebugShape(Shape):
    """A task of the job."""

    id: str
    pipeline: str
    state: str
    attempt: int
    epoch: int
    rev: int
    owner: str | None
    lease_until: datetime | None
    next_eligible_at: datetime | None
    dispatched_at: datetime | None
    dispatches: int
    cancel_requested: bool
    stage: str | None
    progress_percentage: float
    frames_done: int | None
    wait_ms: int | None = Field(description="From the job's submission to the task's first claim")
    run_ms: int | None = Field(description="From its first claim to its end, or until now")
    attempts: list[AttemptShape]
    failure: str | None


class JobFilesShape(Shape):
    """Files of the job, by their keys in the bucket."""

    input_video: str | None
    output_directory: str | None
    temp_files: list[str] = Field(description="Prefixes of what is removed when the job is over")


class JobDebugShape(Shape):
    """One job in full."""

    id: str
    status: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    debug_info: JobDebugFactsShape
    pipeline_logs: list[JobLogShape]
    errors: list[str]
    files: JobFilesShape
    configuration: dict[str, Any]
    selected_pipelines: list[str]
    retry_count: int
    tenant: str
    rev: int
    seq: int
    relayed_seq: int = Field(description="The newest event that is known to be in Kafka")
    planned: bool
    cancel_requested: bool
    tidied: bool
    tasks: list[TaskDebugShape]


class JobDebugResponse(Shape):
    """One job in full."""

    job: JobDebugShape


class RequestLogQuery(BaseModel):
    """How much of the log."""

    limit: int = Field(
        default=50, ge=1, le=100, title="Limit", description="Maximum number of requests to return"
    )


class LoggedRequestShape(Shape):
    """A request, without its headers, its key and the values in its path."""

    timestamp: datetime
    method: str
    path: str | None = Field(description="As a template; null: no such route")
    operation: str | None
    status_code: int = Field(description="499: the client left before the answer")
    response_time_ms: float = Field(description="Until the answer began")
    tenant: str | None
    user_id: str | None = Field(description="Id of the key")
    request_id: str | None = Field(description="As in X-Request-ID")
    received_bytes: int


class RequestLogResponse(Shape):
    """The latest requests of this gateway: the caller's tenant's, or all for the operator."""

    requests: list[LoggedRequestShape] = Field(description="The newest last")
    total_logged: int
    showing: int
    log_retention: str
    server_uptime: int


class MockEventsQuery(BaseModel):
    """What the mock events speak of."""

    token: str | None = Field(
        default=None, title="Token", description="A short-lived token, instead of the header"
    )
    job_id: str | None = Field(default=None, title="Job Id", description="Job ID to monitor")


class BackgroundProcessingShape(Shape):
    """All workers together."""

    running: bool
    processing_jobs: list[str] = Field(description="Ids, as far as the caller may see them")
    concurrent_jobs: int
    max_concurrent_jobs: int
    poll_interval: float | None
    queued_jobs: int | None
    queued_tasks: int | None
    tasks_by_pipeline: dict[str, dict[str, int]] = Field(description="queued, running and finalizing")


class BackgroundSystemShape(Shape):
    """The gateway that answers."""

    pid: int | None = Field(description=ADMIN_ONLY)
    memory_usage_mb: float | None
    cpu_percent: float | None


class BackgroundJobsResponse(Shape):
    """What works in the background."""

    background_processing: BackgroundProcessingShape
    system_info: BackgroundSystemShape
    timestamp: datetime
    workers: list[ProcessShape]
    schedulers: list[ProcessShape]
