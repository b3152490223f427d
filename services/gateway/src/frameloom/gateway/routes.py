"""The table of the API: every operation with its names as in VideoAnnotator's OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.errors import JobNotFoundError, ObjectNotFoundError
from frameloom.gateway.errors import (
    BusyError,
    InvalidConfigError,
    InvalidRequestError,
    JobAlreadyCompletedError,
    PayloadTooLargeError,
    PipelineNotFoundError,
    PipelineUnavailableError,
    RangeNotSatisfiableError,
    ResultFileNotFoundError,
    UnknownPipelineError,
    UnsupportedMediaError,
    UploadTimeoutError,
)
from frameloom.gateway.handlers.events import EventHandlers
from frameloom.gateway.handlers.health import HealthHandlers
from frameloom.gateway.handlers.jobs import JobHandlers
from frameloom.gateway.handlers.pipelines import PipelineHandlers
from frameloom.gateway.handlers.results import ResultHandlers
from frameloom.gateway.http.typed import Operation

_SUBMISSION_ERRORS = (
    InvalidRequestError,
    InvalidConfigError,
    UnknownPipelineError,
    PipelineUnavailableError,
    UploadTimeoutError,
    PayloadTooLargeError,
    UnsupportedMediaError,
    BusyError,
)
_DOWNLOAD_ERRORS = (InvalidRequestError, JobNotFoundError, ResultFileNotFoundError, ObjectNotFoundError)
_FILE_PATH = "/api/v1/jobs/{job_id}/results/files/{pipeline_name}"


@dataclass(frozen=True, slots=True)
class Handlers:
    """All handlers of the gateway."""

    jobs: JobHandlers
    results: ResultHandlers
    pipelines: PipelineHandlers
    health: HealthHandlers
    events: EventHandlers


def operations(handlers: Handlers) -> list[Operation]:
    """The whole API."""
    return [
        *_jobs(handlers.jobs),
        *_results(handlers.results),
        *_pipelines(handlers.pipelines),
        *_health(handlers.health),
        Operation(
            method="GET",
            path="/api/v1/events/stream",
            id="events_stream_api_v1_events_stream_get",
            summary="Events Stream",
            handler=handlers.events.stream,
            tags=("events",),
            errors=(JobNotFoundError, BusyError),
        ),
    ]


def _submission(jobs: JobHandlers) -> Operation:
    return Operation(
        method="POST",
        path="/api/v1/jobs/",
        id="submit_job_api_v1_jobs__post",
        summary="Submit Video Processing Job",
        handler=jobs.submit,
        tags=("jobs",),
        status=201,
        slashless_status=200,  # as the original answers, and its viewer asks
        errors=_SUBMISSION_ERRORS,
    )


def _jobs(jobs: JobHandlers) -> list[Operation]:
    tags = ("jobs",)
    return [
        _submission(jobs),
        Operation(
            method="GET",
            path="/api/v1/jobs/",
            id="list_jobs_api_v1_jobs__get",
            summary="List Processing Jobs",
            handler=jobs.list_jobs,
            tags=tags,
            slashless_status=200,
        ),
        Operation(
            method="GET",
            path="/api/v1/jobs/{job_id}",
            id="get_job_status_api_v1_jobs__job_id__get",
            summary="Get Job Status",
            handler=jobs.get,
            tags=tags,
            errors=(JobNotFoundError,),
        ),
        Operation(
            method="POST",
            path="/api/v1/jobs/{job_id}/cancel",
            id="cancel_job_endpoint_api_v1_jobs__job_id__cancel_post",
            summary="Cancel Job",
            handler=jobs.cancel,
            tags=tags,
            errors=(JobNotFoundError, JobAlreadyCompletedError),
        ),
    ]


def _results(results: ResultHandlers) -> list[Operation]:
    tags = ("jobs",)
    return [
        Operation(
            method="GET",
            path="/api/v1/jobs/{job_id}/results",
            id="get_job_results_api_v1_jobs__job_id__results_get",
            summary="Get Job Results",
            handler=results.results,
            tags=tags,
            errors=(JobNotFoundError,),
        ),
        Operation(
            method="GET",
            path=_FILE_PATH,
            id="download_result_file_api_v1_jobs__job_id__results_files__pipeline_name__get",
            summary="Download Result File",
            handler=results.download,
            tags=tags,
            errors=(*_DOWNLOAD_ERRORS, RangeNotSatisfiableError),
        ),
        Operation(
            method="HEAD",
            path=_FILE_PATH,
            id="head_result_file_api_v1_jobs__job_id__results_files__pipeline_name__head",
            summary="Facts of a Result File",
            handler=results.download,
            tags=tags,
            errors=_DOWNLOAD_ERRORS,
        ),
    ]


def _pipelines(pipelines: PipelineHandlers) -> list[Operation]:
    tags = ("pipelines",)
    return [
        Operation(
            method="GET",
            path="/api/v1/pipelines/",
            id="list_pipelines_api_v1_pipelines__get",
            summary="List all available video annotation pipelines",
            handler=pipelines.list_pipelines,
            tags=tags,
            slashless_status=200,
        ),
        Operation(
            method="GET",
            path="/api/v1/pipelines/{pipeline_name}",
            id="get_pipeline_info_api_v1_pipelines__pipeline_name__get",
            summary="Get detailed information about a specific pipeline",
            handler=pipelines.get,
            tags=tags,
            errors=(PipelineNotFoundError,),
        ),
    ]


def _health(health: HealthHandlers) -> list[Operation]:
    return [
        Operation(
            method="GET",
            path="/api/v1/health",
            id="health_check_api_v1_health_get",
            summary="Health check with optional detailed diagnostics",
            handler=health.health,
            tags=("health",),
            unavailable="A dependency does not answer; `details` tells which",
        ),
        Operation(
            method="GET",
            path="/health",
            id="health_check_health_get",
            summary="Health Check",
            handler=health.server_health,
        ),
    ]
