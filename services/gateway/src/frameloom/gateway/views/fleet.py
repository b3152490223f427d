"""The processes of the fleet, as one caller may see them.

Everybody sees numbers and states. Hosts, paths, process ids and versions of libraries are for admins; ids of
jobs are for the job's own tenant, and for the operator.
"""

from __future__ import annotations

from datetime import datetime

from frameloom.common.documents import FleetMember, Service
from frameloom.common.documents.facts import (
    DiskFacts,
    GatewayFacts,
    MemoryFacts,
    ModelFacts,
    ResultsFacts,
    SchedulerFacts,
    SlotFacts,
    SlotState,
)
from frameloom.gateway.schemas.fleet import (
    DiskShape,
    FleetShape,
    GatewayShape,
    GpuShape,
    MemoryShape,
    ModelShape,
    ProcessShape,
    ResultsShape,
    SchedulerShape,
    ServiceShape,
    SlotShape,
    WorkerShape,
    WorkShape,
)
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.overview import Gpu, Overview
from frameloom.gateway.services.recorder import mean_seconds


def sees_insides(caller: Caller) -> bool:
    """Whether hosts, paths and process ids are told."""
    return caller.may(Scope.ADMIN)


def sees_job(caller: Caller, tenant: str | None) -> bool:
    """Whether the id of a tenant's job is told."""
    return caller.operates or (tenant == caller.tenant and caller.may(Scope.JOBS_READ))


def fleet(overview: Overview, caller: Caller) -> FleetShape:
    """Every live process."""
    return FleetShape(services=services(overview), processes=processes(overview, caller))


def services(overview: Overview) -> dict[str, ServiceShape]:
    """How each service is."""
    return {
        service.value: ServiceShape(status=overview.state(service).value, instances=len(overview.of(service)))
        for service in Service
    }


def processes(overview: Overview, caller: Caller, service: Service | None = None) -> list[ProcessShape]:
    """The live processes, of one service or all."""
    return [
        process(member, overview.at, caller)
        for member in overview.members
        if service is None or member.service is service
    ]


def process(member: FleetMember, at: datetime, caller: Caller) -> ProcessShape:
    """One process."""
    facts, host, own, insides = member.facts, member.facts.host, member.facts.process, sees_insides(caller)
    return ProcessShape(
        id=member.id,
        service=member.service.value,
        status=member.liveness.value,
        version=member.version,
        started_at=member.started_at,
        seen_at=member.seen_at,
        uptime_seconds=uptime(member, at),
        sampled_at=facts.sampled_at,
        cpu_count=host.cpu_count if host else None,
        cpu_percent=host.cpu_percent if host else None,
        load_average=list(host.load) if host and host.load else None,
        memory=memory(host.memory) if host else None,
        disk=disk(host.disk, insides=insides) if host and host.disk else None,
        rss_bytes=own.rss_bytes if own else None,
        process_cpu_percent=own.cpu_percent if own else None,
        gateway=_gateway(facts.gateway) if facts.gateway else None,
        scheduler=_scheduler(facts.scheduler) if facts.scheduler else None,
        worker=_worker(member, at, caller) if facts.worker else None,
        results=_results(facts.results) if facts.results else None,
        host=member.host if insides else None,
        pid=member.pid if insides else None,
        platform=host.platform if host and insides else None,
        python_version=host.python_version if host and insides else None,
        libraries=facts.versions if insides else None,
    )


def uptime(member: FleetMember, at: datetime) -> int:
    """For how many seconds a process runs."""
    return max(0, int((at - member.started_at).total_seconds()))


def memory(facts: MemoryFacts) -> MemoryShape:
    """Memory of a host."""
    return MemoryShape(
        total=facts.total_bytes,
        available=facts.available_bytes,
        percent=facts.percent,
        used=facts.used_bytes,
        free=facts.free_bytes,
    )


def disk(facts: DiskFacts, *, insides: bool) -> DiskShape:
    """A disk; its path only for those who may see insides."""
    return DiskShape(
        total=facts.total_bytes,
        used=facts.used_bytes,
        free=facts.free_bytes,
        percent=facts.percent,
        path=facts.path if insides else None,
    )


def gpu(gpu: Gpu, caller: Caller) -> GpuShape:
    """A GPU."""
    facts, insides = gpu.facts, sees_insides(caller)
    return GpuShape(
        index=facts.index,
        name=facts.name,
        memory_total=facts.memory_total_bytes,
        memory_used=facts.memory_used_bytes,
        memory_free=facts.memory_free_bytes,
        utilization_percent=facts.utilization_percent,
        driver_version=facts.driver_version,
        cuda_version=facts.cuda_version,
        compute_capability=facts.compute_capability,
        worker=gpu.member.id,
        host=gpu.member.host if insides else None,
        uuid=facts.uuid if insides else None,
    )


def model(facts: ModelFacts) -> ModelShape:
    """A model."""
    return ModelShape(
        name=facts.name,
        sha256=facts.sha256,
        version=facts.version,
        size_bytes=facts.size_bytes,
        licence=facts.licence,
    )


def slot(facts: SlotFacts, at: datetime, caller: Caller) -> SlotShape:
    """A slot of a worker."""
    return SlotShape(
        state=facts.state.value,
        pipeline=facts.pipeline,
        beside=list(facts.beside),
        busy_seconds=(at - facts.busy_since).total_seconds() if facts.busy_since else None,
        job_id=facts.job_id if sees_job(caller, facts.tenant) else None,
        warm_pipelines=list(facts.warm_pipelines),
        models=[model(one) for one in facts.models],
        rss_bytes=facts.rss_bytes,
        cpu_percent=facts.cpu_percent,
        gpu_memory_allocated=facts.cuda.memory_allocated_bytes if facts.cuda else None,
        pid=facts.pid if sees_insides(caller) else None,
    )


def _worker(member: FleetMember, at: datetime, caller: Caller) -> WorkerShape:
    facts = member.facts.worker
    assert facts is not None
    return WorkerShape(
        slots_total=member.slots,
        slots_busy=sum(one.state is SlotState.BUSY for one in facts.slots),
        slots=[slot(one, at, caller) for one in facts.slots],
        pipelines=list(member.pipelines),
        unavailable=facts.unavailable,
        warm_models=sorted({one.name for held in facts.slots for one in held.models}),
        tasks={name: WorkShape(**tally.model_dump()) for name, tally in facts.work.items()},
    )


def _gateway(facts: GatewayFacts) -> GatewayShape:
    return GatewayShape(
        requests_total=facts.requests_total,
        response_seconds_avg=round(mean_seconds([facts]), 6),
        requests_in_progress=facts.requests_in_progress,
        streams_open=facts.streams_open,
        body_bytes_total=facts.body_bytes_total,
    )


def _scheduler(facts: SchedulerFacts) -> SchedulerShape:
    return SchedulerShape(
        last_sweep_at=facts.last_sweep_at,
        sweeps_total=facts.sweeps_total,
        sweep_every_seconds=facts.sweep_every_seconds,
    )


def _results(facts: ResultsFacts) -> ResultsShape:
    return ResultsShape(chunks_total=facts.chunks_total, ends_total=facts.ends_total)
