"""Jobs and their results."""

from __future__ import annotations

from frameloom.common.errors import JobNotFoundError
from frameloom.gateway.errors import (
    BusyError,
    IndirectMediaError,
    InvalidConfigError,
    InvalidRequestError,
    JobAlreadyCompletedError,
    MediaDamagedError,
    MediaLimitError,
    MediaNotUsableError,
    NoMediaStreamError,
    PayloadTooLargeError,
    PipelineUnavailableError,
    ProbeFailedError,
    ProbeTimeoutError,
    QuotaExceededError,
    StillImageError,
    UnknownPipelineError,
    UnsupportedCodecError,
    UnsupportedMediaError,
    UploadTimeoutError,
    UrlFetchError,
    UrlIngestionDisabledError,
    UrlRefusedError,
)
from frameloom.gateway.handlers.jobs import JobHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope

ADMISSION_ERRORS = (
    UnsupportedMediaError,
    StillImageError,
    IndirectMediaError,
    UnsupportedCodecError,
    NoMediaStreamError,
    MediaDamagedError,
    MediaLimitError,
    MediaNotUsableError,
    ProbeTimeoutError,
    ProbeFailedError,
)
"""Why the upload gate refuses a file, by whatever way it came."""
_SUBMISSION_ERRORS = (
    InvalidRequestError,
    InvalidConfigError,
    UnknownPipelineError,
    PipelineUnavailableError,
    UploadTimeoutError,
    PayloadTooLargeError,
    *ADMISSION_ERRORS,
    BusyError,
    QuotaExceededError,
    UrlIngestionDisabledError,
    UrlRefusedError,
    UrlFetchError,
)


def _submission(jobs: JobHandlers) -> Operation:
    return Operation(
        method="POST",
        path="/api/v1/jobs/",
        id="submit_job_api_v1_jobs__post",
        summary="Submit Video Processing Job",
        handler=jobs.submit,
        tags=("jobs",),
        scope=Scope.JOBS_WRITE,
        status=201,
        slashless_status=200,  # as the original answers, and its viewer asks
        errors=_SUBMISSION_ERRORS,
    )


def job_operations(jobs: JobHandlers) -> list[Operation]:
    """Submitting, listing, showing, cancelling and deleting."""
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
            scope=Scope.JOBS_READ,
            slashless_status=200,
        ),
        Operation(
            method="GET",
            path="/api/v1/jobs/{job_id}",
            id="get_job_status_api_v1_jobs__job_id__get",
            summary="Get Job Status",
            handler=jobs.get,
            tags=tags,
            scope=Scope.JOBS_READ,
            errors=(JobNotFoundError,),
        ),
        Operation(
            method="POST",
            path="/api/v1/jobs/{job_id}/cancel",
            id="cancel_job_endpoint_api_v1_jobs__job_id__cancel_post",
            summary="Cancel Job",
            handler=jobs.cancel,
            tags=tags,
            scope=Scope.JOBS_WRITE,
            errors=(JobNotFoundError, JobAlreadyCompletedError),
        ),
        Operation(
            method="DELETE",
            path="/api/v1/jobs/{job_id}",
            id="cancel_job_api_v1_jobs__job_id__delete",  # the original's name of it
            summary="Cancel Job",  # as the original says; it deletes
            handler=jobs.delete,
            tags=tags,
            scope=Scope.JOBS_WRITE,
            status=204,
            errors=(JobNotFoundError,),
        ),
    ]
