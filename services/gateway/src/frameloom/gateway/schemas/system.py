"""The state of the whole system, with VideoAnnotator's field names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from frameloom.gateway.schemas import Shape, absent
from frameloom.gateway.schemas.fleet import ADMIN_ONLY, DiskShape, FleetShape, GpuShape, MemoryShape


class SystemShape(Shape):
    """The host of the gateway that answers."""

    platform: str = Field(description="In full only for admins")
    python_version: str = Field(description="In full only for admins")
    cpu_count: int | None
    cpu_percent: float | None
    load_average: list[float] | None
    memory_percent: float | None
    memory: MemoryShape | None
    disk: DiskShape | None


class StatusShape(Shape):
    """Whether something works."""

    status: str = Field(description="healthy, degraded or unhealthy")
    message: str


class DatabaseStatusShape(StatusShape):
    """Whether the database works."""

    writable: bool = Field(description="This gateway's own announcement of the last seconds is in it")
    response_ms: float | None = Field(description="How long a read took; null: none came back")


class GpuSummaryShape(Shape):
    """The GPUs of all workers; the single fields are those of the first one. Memory in bytes."""

    available: bool
    reason: str | None = Field(default=None, exclude_if=absent)
    device_count: int
    current_device: int | None
    device_name: str | None
    compute_capability: str | None
    memory_allocated: int | None = Field(description="By torch in the worker's children; null: not told")
    memory_reserved: int | None = Field(description="By torch in the worker's children; null: not told")
    compatibility_warning: str | None = Field(default=None, exclude_if=absent)
    pytorch_version: str | None = Field(default=None, exclude_if=absent)
    min_compute_capability: float | None = Field(default=None, exclude_if=absent)
    devices: list[GpuShape]


class PipelineNamesShape(Shape):
    """The pipelines that workers have offered."""

    total: int
    names: list[str]
    running: list[str] = Field(description="Those that a live worker runs now")


class WorkersShape(Shape):
    """The workers together."""

    status: str = Field(description="running, or stopped when no worker lives")
    active_jobs: int
    processing_jobs: list[str] = Field(description="Ids, as far as the caller may see them")
    queued_jobs: int | None = Field(description="Jobs of which no task was started; null: not known now")
    queued_tasks: int | None
    max_concurrent_workers: int = Field(description="Slots of all workers")
    poll_interval_seconds: float | None = Field(
        description="How often the scheduler looks by itself, besides being woken; null: none lives"
    )
    instances: int
    busy_slots: int


class ServicesShape(Shape):
    """The parts of the system."""

    database: StatusShape
    storage: StatusShape
    broker: StatusShape
    job_queue: str = Field(description="kafka, or unavailable")
    pipelines: str = Field(description="ready, or unavailable when no live worker runs any")
    gateway: str = Field(description="healthy, draining or missing; so the others")
    scheduler: str
    worker: str
    results: str


class SecurityShape(Shape):
    """Who may ask."""

    auth_required: bool


class GpuStatusShape(Shape):
    """The first GPU, in the words of the viewer. Memory in bytes."""

    available: bool
    device_name: str | None = Field(default=None, exclude_if=absent)
    cuda_version: str | None = Field(default=None, exclude_if=absent)
    memory_total: int | None = Field(default=None, exclude_if=absent)
    memory_used: int | None = Field(default=None, exclude_if=absent)
    memory_free: int | None = Field(default=None, exclude_if=absent)


class WorkerInfoShape(Shape):
    """The workers, in the words of the viewer."""

    active_jobs: int
    queued_jobs: int
    max_concurrent_jobs: int
    worker_status: str = Field(description="idle, busy, overloaded (more waits than can run), or stopped")


class StorageDiagnosisShape(StatusShape):
    """The object store, and the fullest disk of the fleet."""

    disk_usage_percent: float | None = Field(default=None, exclude_if=absent)


class FfmpegShape(Shape):
    """FFmpeg inside the workers."""

    available: bool
    version: str | None = Field(default=None, exclude_if=absent)


class DiagnosticsShape(Shape):
    """What the viewer shows under diagnostics."""

    database: StatusShape
    storage: StorageDiagnosisShape
    ffmpeg: FfmpegShape


class SystemHealthResponse(Shape):
    """Everything about the system's health. Always 200: ``status`` tells."""

    status: str = Field(
        description="healthy; degraded when a service is missing or a disk is full; unhealthy when a server "
        "does not answer"
    )
    timestamp: datetime
    error: str | None = Field(default=None, description="Why it is unhealthy", exclude_if=absent)
    problems: list[str] = Field(description="What is wrong, in sentences")
    api_version: str = Field(description="The VideoAnnotator release whose API this follows")
    videoannotator_version: str = Field(description="The same")
    frameloom_version: str
    system: SystemShape
    database: DatabaseStatusShape
    gpu: GpuSummaryShape
    pipelines: PipelineNamesShape
    workers: WorkersShape
    services: ServicesShape
    security: SecurityShape
    uptime_seconds: int = Field(description="Of the gateway that answers")
    gpu_status: GpuStatusShape
    worker_info: WorkerInfoShape
    diagnostics: DiagnosticsShape
    fleet: FleetShape


class MetricsShape(Shape):
    """Counts over the whole installation; null: not known now."""

    jobs_total: int | None
    jobs_active: int | None = Field(description="Pending and running")
    jobs_completed: int | None
    jobs_failed: int | None
    jobs_cancelled: int | None
    jobs_pending: int | None
    jobs_running: int | None
    total_annotations: int | None = Field(description="In all results, as counted last")
    api_requests_total: int = Field(description="By all live gateways since each started")
    response_time_avg: float = Field(description="Seconds until the answer began, over the same requests")
    pipeline_processing_time_avg: float = Field(
        description="Seconds a completed task took, over all live workers since each started; 0: none yet"
    )
    pipeline_processing_time_avg_by_pipeline: dict[str, float]
    uptime_seconds: int = Field(description="Of the gateway that answers")
    tasks_completed: int | None = Field(description="In all, as counted last")
    tasks_failed: int | None
    tasks_cancelled: int | None
    tasks_waiting: int | None = Field(description="Those that will join segments which are not done")
    tasks_queued: int | None
    tasks_running: int | None
    tasks_finalizing: int | None
    queue_by_pipeline: dict[str, int] = Field(description="Tasks that wait for a worker")
    slots_total: int
    slots_busy: int
    streams_open: int
    counted_seconds_ago: float | None = Field(description="Age of the counts that say: as counted last")


class PerformanceShape(Shape):
    """Percent, of the host of the gateway that answers."""

    cpu_usage: float | None
    memory_usage: float | None
    disk_usage: float | None


class SystemMetricsResponse(Shape):
    """Figures for people and scripts; ``/metrics`` has those for Prometheus."""

    timestamp: datetime
    metrics: MetricsShape
    performance: PerformanceShape


class FeaturesShape(Shape):
    """What is on."""

    authentication: bool
    rate_limiting: bool
    webhooks: bool
    async_processing: bool
    metrics: bool
    debug: bool
    viewer: bool
    resumable_uploads: bool = Field(description="By the tus protocol")
    download_redirects: bool = Field(description="Downloads lead to the object store")


class SystemConfigResponse(Shape):
    """What is really set. Secrets are never told; addresses, folders and other texts only to admins."""

    configuration: dict[str, dict[str, Any]] = Field(description="By subject: each setting with its value")
    environment: str
    features: FeaturesShape


class ConnectionInfoShape(Shape):
    """Where the database is."""

    database_path: str | None = Field(description=f"Name of the database. {ADMIN_ONLY}")
    database_url: str | None = Field(description=f"Host and port, never with credentials. {ADMIN_ONLY}")
    database_size_mb: float | None


class DatabaseStatisticsShape(Shape):
    """Counts over the whole installation; null: not known now."""

    total_jobs: int | None
    pending_jobs: int | None
    running_jobs: int | None
    completed_jobs: int | None
    failed_jobs: int | None
    cancelled_jobs: int | None
    total_annotations: int | None


class CollectionShape(Shape):
    """A collection."""

    name: str
    documents: int = Field(description="As the database estimates it")
    indexes: list[str]


class SystemDatabaseResponse(Shape):
    """What the database tells of itself."""

    backend_type: str
    backend_version: str
    connection_info: ConnectionInfoShape
    statistics: DatabaseStatisticsShape
    schema_version: str
    ping_ms: float
    open_connections: int = Field(description="Of the gateway that answers")
    collections: list[CollectionShape]
    read_seconds_ago: float
