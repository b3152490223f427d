"""Figures, the configuration, and the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frameloom.common.documents import JobStatus, TaskState
from frameloom.common.documents.schema import SCHEMA_VERSION
from frameloom.common.ports.database import DatabaseReport
from frameloom.gateway.schemas.system import (
    CollectionShape,
    ConnectionInfoShape,
    DatabaseStatisticsShape,
    MetricsShape,
    PerformanceShape,
    SystemDatabaseResponse,
    SystemMetricsResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.overview import Overview, mean_task_seconds
from frameloom.gateway.services.recorder import mean_seconds
from frameloom.gateway.services.refreshed import Kept
from frameloom.gateway.services.watch import History
from frameloom.gateway.views import fleet as fleets

_MEGABYTE = 1024**2
_STATUSES = (
    JobStatus.PENDING,
    JobStatus.RUNNING,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
)


def metrics(overview: Overview, history: Kept[History] | None) -> SystemMetricsResponse:
    """Counts over the whole installation, and how busy this host is."""
    host = overview.me.facts.host
    return SystemMetricsResponse(
        timestamp=overview.at,
        metrics=MetricsShape(
            **_jobs(overview),
            **_tasks(overview, history),
            api_requests_total=sum(facts.requests_total for facts in overview.gateways),
            response_time_avg=round(mean_seconds(overview.gateways), 6),
            pipeline_processing_time_avg=round(mean_task_seconds(overview.work) or 0.0, 3),
            pipeline_processing_time_avg_by_pipeline={
                name: round(mean, 3)
                for name, tally in overview.work.items()
                if (mean := mean_task_seconds({name: tally})) is not None
            },
            uptime_seconds=fleets.uptime(overview.me, overview.at),
            slots_total=overview.capacity,
            slots_busy=len(overview.busy),
            streams_open=sum(facts.streams_open for facts in overview.gateways),
            counted_seconds_ago=round(history.age_seconds, 1) if history else None,
        ),
        performance=PerformanceShape(
            cpu_usage=host.cpu_percent if host else None,
            memory_usage=host.memory.percent if host else None,
            disk_usage=host.disk.percent if host and host.disk else None,
        ),
    )


def _jobs(overview: Overview) -> dict[str, int | None]:
    jobs = overview.jobs
    if jobs is None:
        names = ("total", "active", *(status.value for status in _STATUSES))
        return {f"jobs_{name}": None for name in names}
    return {
        "jobs_total": sum(jobs.values()),
        "jobs_active": jobs.get(JobStatus.PENDING, 0) + jobs.get(JobStatus.RUNNING, 0),
        **{f"jobs_{status.value}": jobs.get(status, 0) for status in _STATUSES},
    }


def _tasks(overview: Overview, history: Kept[History] | None) -> dict[str, Any]:
    live = overview.backlog.tasks if overview.backlog else None
    ended = history.value.ends if history else {}
    queue = {name: n for (name, state), n in (live or {}).items() if state is TaskState.QUEUED}
    return {
        "total_annotations": history.value.annotations if history else None,
        "queue_by_pipeline": queue,
        **{f"tasks_{state.value}": ended.get(state) for state in TaskState if state.terminal},
        **{
            f"tasks_{state.value}": (
                None if live is None else sum(n for (_, one), n in live.items() if one is state)
            )
            for state in TaskState
            if not state.terminal
        },
    }


def database(
    report: Kept[DatabaseReport],
    jobs: Mapping[JobStatus, int] | None,
    history: Kept[History] | None,
    caller: Caller,
) -> SystemDatabaseResponse:
    """What the database tells of itself."""
    told, insides = report.value, fleets.sees_insides(caller)
    size = told.size_bytes
    return SystemDatabaseResponse(
        backend_type=told.backend,
        backend_version=told.version,
        connection_info=ConnectionInfoShape(
            database_path=told.name if insides else None,
            database_url=told.address if insides else None,
            database_size_mb=None if size is None else round(size / _MEGABYTE, 2),
        ),
        statistics=statistics(jobs, history),
        schema_version=SCHEMA_VERSION,
        ping_ms=round(told.ping_seconds * 1000, 2),
        open_connections=told.connections,
        collections=[
            CollectionShape(name=one.name, documents=one.documents, indexes=list(one.indexes))
            for one in told.collections
        ],
        read_seconds_ago=round(report.age_seconds, 1),
    )


def statistics(
    jobs: Mapping[JobStatus, int] | None, history: Kept[History] | None
) -> DatabaseStatisticsShape:
    """How much there is."""
    counted = {f"{status.value}_jobs": None if jobs is None else jobs.get(status, 0) for status in _STATUSES}
    return DatabaseStatisticsShape(
        total_jobs=None if jobs is None else sum(jobs.values()),
        total_annotations=history.value.annotations if history else None,
        **counted,
    )
