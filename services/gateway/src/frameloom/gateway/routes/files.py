"""Results of jobs, and files."""

from __future__ import annotations

from frameloom.common.errors import JobNotFoundError, ObjectNotFoundError
from frameloom.gateway.errors import (
    InvalidRequestError,
    NoArtifactsError,
    PreconditionFailedError,
    RangeNotSatisfiableError,
    ResultFileNotFoundError,
)
from frameloom.gateway.handlers.files import FileHandlers
from frameloom.gateway.handlers.results import ResultHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope

_TAGS = ("jobs",)
_DOWNLOAD_ERRORS = (
    InvalidRequestError,
    JobNotFoundError,
    ResultFileNotFoundError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
_WHOLE_ERRORS = (JobNotFoundError, NoArtifactsError, PreconditionFailedError)
_FILE_PATH = "/api/v1/jobs/{job_id}/results/files/{pipeline_name}"
_ARCHIVE_PATH = "/api/v1/jobs/{job_id}/artifacts"
_VIDEO_PATH = "/api/v1/jobs/{job_id}/video"


def result_operations(results: ResultHandlers) -> list[Operation]:
    """What jobs have brought."""
    return [
        Operation(
            method="GET",
            path="/api/v1/jobs/{job_id}/results",
            id="get_job_results_api_v1_jobs__job_id__results_get",
            summary="Get Job Results",
            handler=results.results,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            errors=(JobNotFoundError,),
        ),
        Operation(
            method="GET",
            path=_FILE_PATH,
            id="download_result_file_api_v1_jobs__job_id__results_files__pipeline_name__get",
            summary="Download Result File",
            handler=results.download,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            errors=(*_DOWNLOAD_ERRORS, RangeNotSatisfiableError),
        ),
        Operation(
            method="HEAD",
            path=_FILE_PATH,
            id="head_result_file_api_v1_jobs__job_id__results_files__pipeline_name__head",
            summary="Facts of a Result File",
            handler=results.download,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            errors=_DOWNLOAD_ERRORS,
        ),
    ]


def file_operations(files: FileHandlers) -> list[Operation]:
    """A job's media, and all of a job at once."""
    return [
        Operation(
            method="GET",
            path=_ARCHIVE_PATH,
            id="download_artifacts_api_v1_jobs__job_id__artifacts_get",
            summary="Download Job Artifacts",
            handler=files.artifacts,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            strict=True,
            errors=(*_WHOLE_ERRORS, RangeNotSatisfiableError),
        ),
        Operation(
            method="HEAD",
            path=_ARCHIVE_PATH,
            id="head_artifacts_api_v1_jobs__job_id__artifacts_head",
            summary="Facts of the Job Artifacts",
            handler=files.artifacts,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            strict=True,
            errors=_WHOLE_ERRORS,
        ),
        Operation(
            method="GET",
            path=_VIDEO_PATH,
            id="get_job_video_api_v1_jobs__job_id__video_get",
            summary="Play or Download the Video",
            handler=files.video,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            token="events",  # noqa: S106 - a purpose, no secret
            errors=(*_WHOLE_ERRORS, ObjectNotFoundError, RangeNotSatisfiableError),
        ),
        Operation(
            method="HEAD",
            path=_VIDEO_PATH,
            id="head_job_video_api_v1_jobs__job_id__video_head",
            summary="Facts of the Video",
            handler=files.video,
            tags=_TAGS,
            scope=Scope.RESULTS_READ,
            token="events",  # noqa: S106 - a purpose, no secret
            errors=_WHOLE_ERRORS,
        ),
    ]
