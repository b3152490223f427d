"""The facts that a process tells of itself: its host, what it uses, what it has done."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from frameloom.common.documents.base import Part


class MemoryFacts(Part):
    """Memory of a host, as the kernel counts it."""

    total_bytes: int
    available_bytes: int
    used_bytes: int
    free_bytes: int
    percent: float


class DiskFacts(Part):
    """The disk under the folder that the process writes to."""

    path: str
    total_bytes: int
    used_bytes: int
    free_bytes: int
    percent: float


class HostFacts(Part):
    """The machine, or what a container shows of it."""

    platform: str
    python_version: str
    cpu_count: int
    cpu_percent: float
    """Of all cores together, since the sample before."""
    load: tuple[float, float, float] | None = None
    """Mean length of the run queue over 1, 5 and 15 minutes, where the system tells it."""
    memory: MemoryFacts
    disk: DiskFacts | None = None


class ProcessFacts(Part):
    """What the process itself uses, without its children."""

    rss_bytes: int
    cpu_percent: float
    """Of one core, since the sample before: may pass 100."""
    threads: int


class GpuFacts(Part):
    """One GPU, as its driver tells."""

    index: int
    uuid: str
    name: str
    memory_total_bytes: int
    memory_used_bytes: int
    """By all processes."""
    memory_free_bytes: int
    utilization_percent: int | None = None
    driver_version: str | None = None
    cuda_version: str | None = None
    """The newest CUDA that the driver can serve."""
    compute_capability: str | None = None


class ModelFacts(Part):
    """A model file, or a model that is loaded from it."""

    name: str
    sha256: str
    version: str | None = None
    size_bytes: int | None = None
    licence: str | None = None
    cached: bool | None = None
    """Whether the file is in the worker's cache; None: not asked."""


class CudaFacts(Part):
    """What torch holds of a GPU inside one child process."""

    memory_allocated_bytes: int
    memory_reserved_bytes: int
    oldest_capability: str | None = None
    """The oldest compute capability that this build of torch has code for."""


class SlotState(StrEnum):
    """What a slot of a worker does."""

    STARTING = "starting"
    """It has no child process that could take a task at once."""
    IDLE = "idle"
    BUSY = "busy"


class SlotFacts(Part):
    """One slot of a worker, and the child process behind it."""

    state: SlotState
    pid: int | None = None
    rss_bytes: int | None = None
    cpu_percent: float | None = None
    started_in_seconds: float | None = None
    """How long the child took to be ready."""
    task_id: str | None = None
    job_id: str | None = None
    tenant: str | None = None
    pipeline: str | None = None
    beside: tuple[str, ...] = ()
    """Other pipelines of the job, which share the slot's decoding."""
    busy_since: datetime | None = None
    warm_pipelines: tuple[str, ...] = ()
    """Pipelines that this child has run before."""
    models: tuple[ModelFacts, ...] = ()
    """Models that this child has loaded and keeps."""
    cuda: CudaFacts | None = None


class WorkTally(Part):
    """What a worker has done with one pipeline since it started."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    released: int = 0
    lost: int = 0
    """Leases that another took over."""
    seconds: float = 0.0
    """Spent on the completed ones, from the claim to the hand-over."""


class WorkerFacts(Part):
    """What a worker tells beside its host."""

    slots: tuple[SlotFacts, ...] = ()
    gpus: tuple[GpuFacts, ...] = ()
    unavailable: dict[str, str] = Field(default_factory=dict)
    """Pipelines that are installed but can not run here, with the reason."""
    work: dict[str, WorkTally] = Field(default_factory=dict)
    """By pipeline."""


class GatewayFacts(Part):
    """What a gateway tells beside its host; all since it started."""

    requests_total: int = 0
    response_seconds_total: float = 0.0
    """Until the answers began, summed over all requests."""
    requests_in_progress: int = 0
    streams_open: int = 0
    body_bytes_total: int = 0
    """Received in request bodies."""


class SchedulerFacts(Part):
    """What a scheduler tells beside its host."""

    last_sweep_at: datetime | None = None
    """When a sweep last came through all its steps."""
    sweeps_total: int = 0
    sweep_every_seconds: float = 0.0


class ResultsFacts(Part):
    """What a results process tells beside its host; all since it started."""

    chunks_total: int = 0
    """Chunks that were stored."""
    ends_total: int = 0
    """Ends of epochs that were handled, whatever came of them."""


class Facts(Part):
    """All facts of one process; the part of the other services is None."""

    sampled_at: datetime | None = None
    """When host and process were looked at, by the process's own clock."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of libraries that decide what comes out, by distribution."""
    host: HostFacts | None = None
    process: ProcessFacts | None = None
    gateway: GatewayFacts | None = None
    scheduler: SchedulerFacts | None = None
    worker: WorkerFacts | None = None
    results: ResultsFacts | None = None
