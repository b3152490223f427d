"""The processes of the fleet. Left out for all but admins: hosts, paths, process ids, library versions."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from frameloom.gateway.schemas import Shape, absent

ADMIN_ONLY = "Only for admins"


class MemoryShape(Shape):
    """Bytes of a host's memory, as the kernel counts them."""

    total: int
    available: int
    percent: float
    used: int
    free: int


class DiskShape(Shape):
    """Bytes of the disk under the folder that a process writes to."""

    total: int
    used: int
    free: int
    percent: float
    path: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)


class ModelShape(Shape):
    """A model by its digest."""

    name: str
    sha256: str
    version: str | None = Field(default=None, exclude_if=absent)
    size_bytes: int | None = Field(default=None, exclude_if=absent)
    licence: str | None = Field(default=None, exclude_if=absent)


class GpuShape(Shape):
    """A GPU of a worker, as its driver tells; memory in bytes."""

    index: int
    name: str
    memory_total: int
    memory_used: int = Field(description="By all processes")
    memory_free: int
    utilization_percent: int | None
    driver_version: str | None
    cuda_version: str | None = Field(description="The newest that the driver can serve")
    compute_capability: str | None
    worker: str = Field(description="Id of the process that told of it")
    host: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)
    uuid: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)


class SlotShape(Shape):
    """A slot of a worker: one run at a time, in a child process that keeps its models."""

    state: str = Field(description="starting, idle or busy")
    pipeline: str | None = Field(description="Of the task that runs")
    beside: list[str] = Field(description="Other pipelines of its job, which share the decoding")
    busy_seconds: float | None
    job_id: str | None = Field(
        default=None, description="Only for the job's own tenant, and for admins", exclude_if=absent
    )
    warm_pipelines: list[str]
    models: list[ModelShape] = Field(description="Loaded, and kept between tasks")
    rss_bytes: int | None
    cpu_percent: float | None
    gpu_memory_allocated: int | None = Field(description="By torch in this process, bytes")
    pid: int | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)


class WorkShape(Shape):
    """What a worker has done with one pipeline since it started."""

    completed: int
    failed: int
    cancelled: int
    released: int = Field(description="Given back at a shutdown")
    lost: int = Field(description="Taken over by another")
    seconds: float = Field(description="Spent on the completed ones")


class WorkerShape(Shape):
    """A worker."""

    slots_total: int
    slots_busy: int
    slots: list[SlotShape]
    pipelines: list[str]
    unavailable: dict[str, str] = Field(description="Installed, but not able to run here: why")
    warm_models: list[str]
    tasks: dict[str, WorkShape] = Field(description="By pipeline, since it started")


class GatewayShape(Shape):
    """A gateway; totals since it started."""

    requests_total: int
    response_seconds_avg: float = Field(description="Until the answer began")
    requests_in_progress: int
    streams_open: int
    body_bytes_total: int


class SchedulerShape(Shape):
    """A scheduler."""

    last_sweep_at: datetime | None
    sweeps_total: int
    sweep_every_seconds: float


class ResultsShape(Shape):
    """A results process; totals since it started."""

    chunks_total: int
    ends_total: int


class ProcessShape(Shape):
    """One process of the fleet."""

    id: str
    service: str
    status: str = Field(description="healthy or draining")
    version: str
    started_at: datetime
    seen_at: datetime | None = Field(description="Its last sign of life, by the database's clock")
    uptime_seconds: int
    sampled_at: datetime | None = Field(description="When host and process were looked at")
    cpu_count: int | None
    cpu_percent: float | None = Field(description="Of the host")
    load_average: list[float] | None
    memory: MemoryShape | None = Field(description="Of the host")
    disk: DiskShape | None
    rss_bytes: int | None = Field(description="Of the process, without its children")
    process_cpu_percent: float | None
    gateway: GatewayShape | None = Field(default=None, exclude_if=absent)
    scheduler: SchedulerShape | None = Field(default=None, exclude_if=absent)
    worker: WorkerShape | None = Field(default=None, exclude_if=absent)
    results: ResultsShape | None = Field(default=None, exclude_if=absent)
    host: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)
    pid: int | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)
    platform: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)
    python_version: str | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)
    libraries: dict[str, str] | None = Field(default=None, description=ADMIN_ONLY, exclude_if=absent)


class ServiceShape(Shape):
    """How a service is."""

    status: str = Field(description="healthy, draining or missing")
    instances: int


class FleetShape(Shape):
    """Every live process."""

    services: dict[str, ServiceShape]
    processes: list[ProcessShape]
