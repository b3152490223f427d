"""The answers about the whole system."""

from __future__ import annotations

from frameloom.common.documents import Service
from frameloom.gateway.schemas.system import (
    DatabaseStatusShape,
    DiagnosticsShape,
    FfmpegShape,
    GpuStatusShape,
    GpuSummaryShape,
    PipelineNamesShape,
    SecurityShape,
    ServicesShape,
    StatusShape,
    StorageDiagnosisShape,
    SystemHealthResponse,
    SystemShape,
    WorkerInfoShape,
    WorkersShape,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.overview import Overview, ServiceState, Verdict
from frameloom.gateway.version import FOLLOWED_VERSION
from frameloom.gateway.views import fleet as fleets

_OLDEST_CAPABILITY = 7.0
_UNKNOWN = "not asked"


def health(overview: Overview, caller: Caller, *, auth_required: bool) -> SystemHealthResponse:
    """Everything about the system's health."""
    verdict, problems = overview.verdict, overview.problems()
    return SystemHealthResponse(
        status=verdict.value,
        timestamp=overview.at,
        error=problems[0] if verdict is Verdict.UNHEALTHY else None,
        problems=problems,
        api_version=FOLLOWED_VERSION,
        videoannotator_version=FOLLOWED_VERSION,
        frameloom_version=overview.me.version,
        system=system(overview, caller),
        database=_database(overview, caller),
        gpu=gpus(overview, caller),
        pipelines=PipelineNamesShape(
            total=len(overview.offers),
            names=[offer.id for offer in overview.offers],
            running=sorted(overview.running),
        ),
        workers=workers(overview, caller),
        services=_services(overview, caller),
        security=SecurityShape(auth_required=auth_required),
        uptime_seconds=fleets.uptime(overview.me, overview.at),
        gpu_status=_gpu_status(overview),
        worker_info=_worker_info(overview),
        diagnostics=_diagnostics(overview, caller),
        fleet=fleets.fleet(overview, caller),
    )


def system(overview: Overview, caller: Caller) -> SystemShape:
    """The host of this gateway."""
    host, insides = overview.me.facts.host, fleets.sees_insides(caller)
    if host is None:
        return SystemShape(
            platform="unknown",
            python_version="unknown",
            cpu_count=None,
            cpu_percent=None,
            load_average=None,
            memory_percent=None,
            memory=None,
            disk=None,
        )
    return SystemShape(
        platform=host.platform if insides else host.platform.split("-", 1)[0],
        python_version=host.python_version if insides else ".".join(host.python_version.split(".")[:2]),
        cpu_count=host.cpu_count,
        cpu_percent=host.cpu_percent,
        load_average=list(host.load) if host.load else None,
        memory_percent=host.memory.percent,
        memory=fleets.memory(host.memory),
        disk=fleets.disk(host.disk, insides=insides) if host.disk else None,
    )


def gpus(overview: Overview, caller: Caller) -> GpuSummaryShape:
    """The GPUs of all workers."""
    found = overview.gpus
    cudas = [slot.cuda for _, slot in overview.slots if slot.cuda is not None]
    first = found[0].facts if found else None
    return GpuSummaryShape(
        available=bool(found),
        reason=None if found else "No live worker has a GPU",
        device_count=len(found),
        current_device=first.index if first else None,
        device_name=first.name if first else None,
        compute_capability=first.compute_capability if first else None,
        memory_allocated=sum(cuda.memory_allocated_bytes for cuda in cudas) if cudas else None,
        memory_reserved=sum(cuda.memory_reserved_bytes for cuda in cudas) if cudas else None,
        devices=[fleets.gpu(gpu, caller) for gpu in found],
        **_compatibility(overview),
    )


def workers(overview: Overview, caller: Caller) -> WorkersShape:
    """The workers together."""
    own = overview.of(Service.WORKER)
    sweeps = [facts.sweep_every_seconds for facts in overview.schedulers]
    seen = {s.job_id for _, s in overview.busy if s.job_id and fleets.sees_job(caller, s.tenant)}
    return WorkersShape(
        status="running" if own else "stopped",
        active_jobs=len(overview.active_jobs),
        processing_jobs=sorted(seen),
        queued_jobs=overview.pending_jobs,
        queued_tasks=overview.queued_tasks,
        max_concurrent_workers=overview.capacity,
        poll_interval_seconds=min(sweeps) if sweeps else None,
        instances=len(own),
        busy_slots=len(overview.busy),
    )


def status(overview: Overview, server: str, caller: Caller) -> StatusShape:
    """Whether a server answers; why not only for those who may see insides."""
    state = overview.servers.get(server)
    if state is None:
        return StatusShape(status="unhealthy", message=_UNKNOWN)
    told = state.reason if state.reason and fleets.sees_insides(caller) else state.message
    return StatusShape(status="healthy" if state.ok else "unhealthy", message=told)


def _compatibility(overview: Overview) -> dict[str, str | float]:
    """Whether the build of torch that a worker uses has code for its GPU; nothing to say is the good case."""
    for member, slot in overview.slots:
        oldest = slot.cuda.oldest_capability if slot.cuda else None
        for gpu in member.facts.worker.gpus if member.facts.worker and oldest else ():
            if gpu.compute_capability and float(gpu.compute_capability) < float(oldest or _OLDEST_CAPABILITY):
                torch = member.facts.versions.get("torch", "unknown")
                return {
                    "compatibility_warning": (
                        f"GPU compute capability {gpu.compute_capability} is below what PyTorch {torch} has "
                        f"code for ({oldest}). GPU acceleration may not work: install a build for older GPUs."
                    ),
                    "pytorch_version": torch,
                    "min_compute_capability": float(oldest or _OLDEST_CAPABILITY),
                }
    return {}


def _database(overview: Overview, caller: Caller) -> DatabaseStatusShape:
    state = overview.servers.get("database")
    told = status(overview, "database", caller)
    return DatabaseStatusShape(
        status=told.status,
        message=told.message,
        writable=overview.announced,
        response_ms=round(state.seconds * 1000, 1) if state and state.seconds is not None else None,
    )


def _services(overview: Overview, caller: Caller) -> ServicesShape:
    broker = status(overview, "broker", caller)
    return ServicesShape(
        database=status(overview, "database", caller),
        storage=status(overview, "storage", caller),
        broker=broker,
        job_queue="kafka" if broker.status == "healthy" else "unavailable",
        pipelines="ready" if overview.running else "unavailable",
        **{service.value: overview.state(service).value for service in Service},
    )


def _gpu_status(overview: Overview) -> GpuStatusShape:
    if not overview.gpus:
        return GpuStatusShape(available=False)
    first = overview.gpus[0].facts
    return GpuStatusShape(
        available=True,
        device_name=first.name,
        cuda_version=first.cuda_version,
        memory_total=first.memory_total_bytes,
        memory_used=first.memory_used_bytes,
        memory_free=first.memory_free_bytes,
    )


def _worker_info(overview: Overview) -> WorkerInfoShape:
    return WorkerInfoShape(
        active_jobs=len(overview.active_jobs),
        queued_jobs=overview.pending_jobs or 0,
        max_concurrent_jobs=overview.capacity,
        worker_status=_worker_status(overview),
    )


def _worker_status(overview: Overview) -> str:
    if overview.state(Service.WORKER) is ServiceState.MISSING:
        return "stopped"
    if not overview.busy:
        return "idle"
    full = len(overview.busy) >= overview.capacity
    return "overloaded" if full and (overview.queued_tasks or 0) > overview.capacity else "busy"


def _diagnostics(overview: Overview, caller: Caller) -> DiagnosticsShape:
    storage, fullest = status(overview, "storage", caller), overview.fullest_disk
    state, message = storage.status, storage.message
    if state == "healthy" and fullest is not None and fullest.full:
        state = "degraded"
    if fullest is not None:
        message += f"; the fullest disk of the fleet is that of a {fullest.service}"
    version = next((v for m in overview.of(Service.WORKER) if (v := m.facts.versions.get("ffmpeg"))), None)
    return DiagnosticsShape(
        database=status(overview, "database", caller),
        storage=StorageDiagnosisShape(
            status=state, message=message, disk_usage_percent=fullest.percent if fullest else None
        ),
        ffmpeg=FfmpegShape(available=version is not None, version=version),
    )
