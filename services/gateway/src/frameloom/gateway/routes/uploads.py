"""Uploads that come over several requests (tus 1.0.0). VideoAnnotator has no such operations."""

from __future__ import annotations

from frameloom.common.errors import JobNotFoundError
from frameloom.gateway.errors import (
    BusyError,
    ChecksumMismatchError,
    DirectUnavailableError,
    InvalidConfigError,
    InvalidRequestError,
    OffsetMediaTypeError,
    OffsetMismatchError,
    PayloadTooLargeError,
    PipelineUnavailableError,
    QuotaExceededError,
    TusVersionError,
    UnknownPipelineError,
    UnsupportedMediaError,
    UploadCompletedError,
    UploadGoneError,
    UploadIncompleteError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOverflowError,
    UploadTimeoutError,
    WrongWayError,
)
from frameloom.gateway.handlers.direct import DirectHandlers
from frameloom.gateway.handlers.uploads import UploadHandlers
from frameloom.gateway.http.tus import UPLOADS
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope

ONE = f"{UPLOADS}/{{upload_id}}"
TAGS = ("uploads",)
BEGIN_ERRORS = (
    InvalidRequestError,
    InvalidConfigError,
    UnknownPipelineError,
    PipelineUnavailableError,
    PayloadTooLargeError,
    QuotaExceededError,
)
FINISH_ERRORS = (
    *BEGIN_ERRORS,
    UnsupportedMediaError,
    BusyError,
    JobNotFoundError,
    UploadGoneError,
    UploadLockedError,
)
_BYTES_ERRORS = (
    *FINISH_ERRORS,
    OffsetMismatchError,
    OffsetMediaTypeError,
    UploadOverflowError,
    UploadTimeoutError,
    ChecksumMismatchError,
    TusVersionError,
)


def direct_operations(direct: DirectHandlers) -> list[Operation]:
    """Addresses to write to, and the call at the end."""
    return [
        Operation(
            method="POST",
            path=f"{UPLOADS}/direct",
            id="create_direct_upload",
            summary="Begin a Direct Upload",
            handler=direct.begin,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=201,
            errors=(*BEGIN_ERRORS, DirectUnavailableError),
        ),
        Operation(
            method="POST",
            path=f"{ONE}/parts",
            id="direct_upload_parts",
            summary="Addresses of a Direct Upload",
            handler=direct.parts,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            errors=(
                InvalidRequestError,
                UploadNotFoundError,
                UploadGoneError,
                WrongWayError,
                UploadCompletedError,
            ),
        ),
        Operation(
            method="POST",
            path=f"{ONE}/complete",
            id="complete_direct_upload",
            summary="Complete a Direct Upload",
            handler=direct.complete,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=201,
            errors=(
                *FINISH_ERRORS,
                UploadNotFoundError,
                UploadIncompleteError,
                WrongWayError,
                UploadCompletedError,
            ),
        ),
    ]


def upload_operations(uploads: UploadHandlers) -> list[Operation]:
    """Beginning, going on, asking and ending."""
    return [
        Operation(
            method="OPTIONS",
            path=UPLOADS,
            id="upload_options",
            summary="What the Upload Protocol Can Do",
            handler=uploads.options,
            tags=TAGS,
            status=204,
        ),
        Operation(
            method="OPTIONS",
            path=ONE,
            id="upload_options_of_one",
            summary="What the Upload Protocol Can Do",
            handler=uploads.options_of_one,
            tags=TAGS,
            status=204,
        ),
        Operation(
            method="POST",
            path=UPLOADS,
            id="create_upload",
            summary="Begin a Resumable Upload",
            handler=uploads.create,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=201,
            errors=_BYTES_ERRORS,
        ),
        Operation(
            method="HEAD",
            path=ONE,
            id="head_upload",
            summary="Offset of an Upload",
            handler=uploads.head,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            errors=(UploadNotFoundError, UploadGoneError, TusVersionError),
        ),
        Operation(
            method="PATCH",
            path=ONE,
            id="patch_upload",
            summary="Go On with an Upload",
            handler=uploads.patch,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=204,
            errors=(*_BYTES_ERRORS, UploadNotFoundError, WrongWayError, UploadCompletedError),
        ),
        Operation(
            method="POST",
            path=ONE,
            id="override_upload",
            summary="PATCH, DELETE or HEAD by Another Name",
            handler=uploads.override,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=204,
            errors=(*_BYTES_ERRORS, UploadNotFoundError, WrongWayError, UploadCompletedError),
        ),
        Operation(
            method="GET",
            path=ONE,
            id="get_upload",
            summary="Show an Upload",
            handler=uploads.get,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            errors=(UploadNotFoundError,),
        ),
        Operation(
            method="DELETE",
            path=ONE,
            id="end_upload",
            summary="Give an Upload Up",
            handler=uploads.end,
            tags=TAGS,
            scope=Scope.JOBS_WRITE,
            status=204,
            errors=(UploadNotFoundError, UploadLockedError, TusVersionError),
        ),
    ]
