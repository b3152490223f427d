"""For those who look for a fault; not there unless it is switched on."""

from __future__ import annotations

from frameloom.common.errors import JobNotFoundError
from frameloom.gateway.handlers.debug import DebugHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import ANY_KEY, Scope

_TAGS = ("debug",)
_BASE = "/api/v1/debug"


def debug_operations(debug: DebugHandlers) -> list[Operation]:
    """What VideoAnnotator has under ``/debug``. All of it needs a key here."""
    return [*_strict(debug), *_formerly_open(debug)]


def _strict(debug: DebugHandlers) -> list[Operation]:
    """Those that VideoAnnotator answers with 403 without a key."""
    return [
        Operation(
            method="GET",
            path=f"{_BASE}/token-info",
            id="get_token_debug_info_api_v1_debug_token_info_get",
            summary="Get Token Debug Info",
            handler=debug.token_info,
            tags=_TAGS,
            scope=ANY_KEY,
            strict=True,
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/jobs/{{job_id}}",
            id="get_job_debug_info_api_v1_debug_jobs__job_id__get",
            summary="Get Job Debug Info",
            handler=debug.job,
            tags=_TAGS,
            scope=Scope.JOBS_READ,
            strict=True,
            errors=(JobNotFoundError,),
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/request-log",
            id="get_request_log_api_v1_debug_request_log_get",
            summary="Get Request Log",
            handler=debug.request_log,
            tags=_TAGS,
            scope=Scope.JOBS_READ,
            strict=True,
        ),
    ]


def _formerly_open(debug: DebugHandlers) -> list[Operation]:
    """Those that are open in VideoAnnotator."""
    return [
        Operation(
            method="GET",
            path=f"{_BASE}/server-info",
            id="get_server_debug_info_api_v1_debug_server_info_get",
            summary="Get Server Debug Info",
            handler=debug.server_info,
            tags=_TAGS,
            scope=Scope.ADMIN,
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/pipelines",
            id="get_pipeline_debug_info_api_v1_debug_pipelines_get",
            summary="Get Pipeline Debug Info",
            handler=debug.pipelines,
            tags=_TAGS,
            scope=Scope.JOBS_READ,
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/mock-events",
            id="mock_sse_events_api_v1_debug_mock_events_get",
            summary="Mock Sse Events",
            handler=debug.mock_events,
            tags=_TAGS,
            scope=Scope.JOBS_READ,
            token="events",  # noqa: S106 - a purpose, no secret
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/background-jobs",
            id="get_background_jobs_status_api_v1_debug_background_jobs_get",
            summary="Get Background Jobs Status",
            handler=debug.background_jobs,
            tags=_TAGS,
            scope=Scope.JOBS_READ,
        ),
    ]
