"""The answers for those who look for a fault."""

from __future__ import annotations

from frameloom.common.documents import Service
from frameloom.common.ports.database import DatabaseReport
from frameloom.gateway.schemas.debug import (
    BackgroundJobsResponse,
    BackgroundProcessingShape,
    BackgroundSystemShape,
    DebugDatabaseShape,
    DebugGpuShape,
    DebugPipelineStatesShape,
    DebugSystemShape,
    LoggedRequestShape,
    RequestLogResponse,
    RequestStatsShape,
    ServerInfoResponse,
    ServerShape,
    TokenInfoResponse,
    TokenRateShape,
    TokenSessionShape,
    TokenShape,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.debug import RequestLog, Standing, TokenFacts
from frameloom.gateway.services.overview import Overview
from frameloom.gateway.services.recorder import Answered, mean_seconds
from frameloom.gateway.version import FOLLOWED_VERSION
from frameloom.gateway.views import fleet as fleets
from frameloom.gateway.views import system as systems

_GIGABYTE = 1024**3
_MEGABYTE = 1024**2
_BASE = "/api/v1"
_NO_KEY = "none"


def server_info(
    overview: Overview,
    report: DatabaseReport | None,
    last_hour: int,
    environment: str,
    caller: Caller,
) -> ServerInfoResponse:
    """The gateway, what it stands on, and the fleet around it."""
    me, own = overview.me, overview.me.facts.gateway
    return ServerInfoResponse(
        server=ServerShape(
            version=me.version,
            videoannotator_version=FOLLOWED_VERSION,
            environment=environment,
            start_time=me.started_at,
            uptime_seconds=fleets.uptime(me, overview.at),
            debug_mode=True,
            api_base_path=_BASE,
            id=me.id,
            host=me.host,
            pid=me.pid,
        ),
        database=DebugDatabaseShape(
            backend=report.backend if report else "unknown",
            path=report.name if report else None,
            connection_status=systems.status(overview, "database", caller).status,
            total_jobs=None if overview.jobs is None else sum(overview.jobs.values()),
            active_connections=report.connections if report else None,
            size_mb=_mb(report.size_bytes) if report else None,
        ),
        pipelines=_pipelines(overview),
        system=_system(overview, caller),
        request_stats=RequestStatsShape(
            total_requests=own.requests_total if own else 0,
            requests_last_hour=last_hour,
            average_response_time_ms=round(mean_seconds([own]) * 1000, 3) if own else 0.0,
        ),
        fleet=fleets.processes(overview, caller),
    )


def token_info(facts: TokenFacts) -> TokenInfoResponse:
    """What is known about the key."""
    shown, session = facts.key.shown, facts.session
    key = shown.key if shown else None
    return TokenInfoResponse(
        token=TokenShape(
            valid=True,
            user_id=key.id if key else None,
            username=key.name if key else _NO_KEY,
            permissions=[scope.value for scope in facts.key.scopes],
            created_at=key.created_at if key else None,
            expires_at=key.expires_at if key else None,
            last_used_at=key.last_used_at if key else None,
            tenant=facts.key.tenant,
            status=shown.status.value if shown else _NO_KEY,
            prefix=key.prefix if key else None,
            rate_limit=_rate(facts.standing),
        ),
        session=TokenSessionShape(
            first_request=session.first if session else None,
            last_request=session.last if session else None,
            total_requests=session.requests if session else 0,
        ),
    )


def request_log(log: RequestLog, overview: Overview, retention: int) -> RequestLogResponse:
    """The latest requests."""
    return RequestLogResponse(
        requests=[_logged(one) for one in log.requests],
        total_logged=log.remembered,
        showing=len(log.requests),
        log_retention=f"Last {retention} requests of this gateway, of all tenants",
        server_uptime=fleets.uptime(overview.me, overview.at),
    )


def background_jobs(overview: Overview, caller: Caller) -> BackgroundJobsResponse:
    """What works in the background."""
    workers, own = systems.workers(overview, caller), overview.me.facts.process
    by_pipeline: dict[str, dict[str, int]] = {}
    for (name, state), count in sorted(overview.backlog.tasks.items() if overview.backlog else ()):
        by_pipeline.setdefault(name, {})[state.value] = count
    return BackgroundJobsResponse(
        background_processing=BackgroundProcessingShape(
            running=workers.status == "running",
            processing_jobs=workers.processing_jobs,
            concurrent_jobs=workers.active_jobs,
            max_concurrent_jobs=workers.max_concurrent_workers,
            poll_interval=workers.poll_interval_seconds,
            queued_jobs=workers.queued_jobs,
            queued_tasks=workers.queued_tasks,
            tasks_by_pipeline=by_pipeline,
        ),
        system_info=BackgroundSystemShape(
            pid=overview.me.pid if fleets.sees_insides(caller) else None,
            memory_usage_mb=_mb(own.rss_bytes) if own else None,
            cpu_percent=own.cpu_percent if own else None,
        ),
        timestamp=overview.at,
        workers=fleets.processes(overview, caller, Service.WORKER),
        schedulers=fleets.processes(overview, caller, Service.SCHEDULER),
    )


def _pipelines(overview: Overview) -> DebugPipelineStatesShape:
    started = [slot.started_in_seconds for _, slot in overview.slots if slot.started_in_seconds is not None]
    available = [offer.id for offer in overview.offers if offer.available]
    return DebugPipelineStatesShape(
        initialized=sorted(overview.running),
        available=available,
        loading_errors=[f"{offer.id}: {offer.reason}" for offer in overview.offers if not offer.available],
        total_available=len(available),
        initialization_time=f"{max(started):.1f} seconds" if started else None,
    )


def _system(overview: Overview, caller: Caller) -> DebugSystemShape:
    told, gpus = systems.system(overview, caller), systems.gpus(overview, caller)
    return DebugSystemShape(
        platform=told.platform,
        python_version=told.python_version,
        cpu_count=told.cpu_count,
        cpu_usage_percent=told.cpu_percent,
        memory_total_gb=_gb(told.memory.total) if told.memory else None,
        memory_used_gb=_gb(told.memory.used) if told.memory else None,
        memory_usage_percent=told.memory_percent,
        gpu=DebugGpuShape(
            available=gpus.available,
            error=gpus.reason,
            device_count=gpus.device_count,
            current_device=gpus.current_device,
            device_name=gpus.device_name,
            memory_allocated_gb=_gb(gpus.memory_allocated),
            memory_reserved_gb=_gb(gpus.memory_reserved),
        ),
    )


def _rate(standing: Standing | None) -> TokenRateShape:
    if standing is None:
        return TokenRateShape(
            requests_per_minute=None,
            requests_per_hour=None,
            remaining_this_minute=None,
            remaining_this_hour=None,
            reset_at=None,
            burst=None,
            remaining=None,
        )
    minute, hour = standing.per_second * 60, standing.per_second * 3600
    return TokenRateShape(
        requests_per_minute=int(minute),
        requests_per_hour=int(hour),
        remaining_this_minute=int(standing.remaining + minute),
        remaining_this_hour=int(standing.remaining + hour),
        reset_at=standing.full_at,
        burst=standing.burst,
        remaining=standing.remaining,
    )


def _logged(answered: Answered) -> LoggedRequestShape:
    return LoggedRequestShape(
        timestamp=answered.at,
        method=answered.method,
        path=answered.path,
        operation=answered.operation,
        status_code=answered.status,
        response_time_ms=round(answered.seconds * 1000, 3),
        tenant=answered.tenant or None,
        user_id=answered.key_id,
        request_id=answered.request_id,
        received_bytes=answered.body_bytes,
    )


def _gb(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / _GIGABYTE, 2)


def _mb(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else round(size_bytes / _MEGABYTE, 2)
