"""Why an upload that comes in parts can not go on."""

from __future__ import annotations

from frameloom.common.documents.upload import Refusal, Upload, UploadState
from frameloom.common.errors import ConflictError, FrameloomError, NotFoundError
from frameloom.common.text import cut
from frameloom.gateway.errors.limits import QuotaExceededError


class UploadNotFoundError(NotFoundError):
    """There is no such upload, or it is not the caller's."""

    code = "UPLOAD_NOT_FOUND"

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"Upload {cut(upload_id)} not found",
            hint="It may have expired. Begin a new one with POST /api/v1/uploads",
            detail={"upload_id": cut(upload_id)},
        )


class UploadGoneError(FrameloomError):
    """The upload was refused or has expired; its bytes are gone."""

    code = "UPLOAD_GONE"
    status = 410


class UploadLockedError(FrameloomError):
    """Another request writes to the upload."""

    code = "UPLOAD_LOCKED"
    status = 423

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"Another request is writing to upload {upload_id}",
            hint="Ask for the offset with HEAD and go on in a few seconds.",
            detail={"upload_id": upload_id},
        )


class OffsetMismatchError(ConflictError):
    """The upload is at another offset."""

    code = "OFFSET_MISMATCH"

    def __init__(self, offset_bytes: int) -> None:
        super().__init__(
            f"The upload is at offset {offset_bytes}",
            hint="Ask for the offset with HEAD, and go on from there.",
            detail={"offset_bytes": offset_bytes},
        )


class UploadOverflowError(FrameloomError):
    """More bytes come than were declared."""

    code = "UPLOAD_OVERFLOW"
    status = 413

    def __init__(self, length_bytes: int) -> None:
        super().__init__(
            f"The upload was declared with {length_bytes} bytes; more were sent",
            hint="Was the file still being written? Begin a new upload with its true length.",
            detail={"length_bytes": length_bytes},
        )


class ChecksumMismatchError(FrameloomError):
    """The bytes were changed on their way: nothing of this request was taken."""

    code = "CHECKSUM_MISMATCH"
    status = 460

    def __init__(self) -> None:
        super().__init__(
            "The checksum does not match the bytes that came",
            hint="Send the same bytes again from this offset.",
        )


class TusVersionError(FrameloomError):
    """The client speaks another version of the tus protocol, or does not say which."""

    code = "TUS_VERSION"
    status = 412

    def __init__(self, sent: str | None) -> None:
        told = "no Tus-Resumable header" if sent is None else f"Tus-Resumable: {cut(sent)}"
        super().__init__(
            f"The request has {told}; this server speaks tus 1.0.0", hint="Send Tus-Resumable: 1.0.0"
        )


class OffsetMediaTypeError(FrameloomError):
    """The body of a PATCH is `application/offset+octet-stream`."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415

    def __init__(self) -> None:
        super().__init__(
            "The body has the wrong Content-Type, or is compressed",
            hint="Send the bytes as they are, with Content-Type: application/offset+octet-stream",
        )


class UploadIncompleteError(ConflictError):
    """What lies in the object store is not what was declared."""

    code = "UPLOAD_INCOMPLETE"

    @classmethod
    def size(cls, found_bytes: int, length_bytes: int) -> UploadIncompleteError:
        """It has another size."""
        return cls(
            f"The upload was declared with {length_bytes} bytes; {found_bytes} are there",
            hint="Send the whole file to the address that was given for it, then complete the upload again.",
            detail={"size_bytes": found_bytes, "expected_bytes": length_bytes},
        )

    @classmethod
    def nothing(cls) -> UploadIncompleteError:
        """Nothing has come."""
        return cls(
            "Nothing has come for this upload yet",
            hint="Send the file with PUT to the address that was given for it, then complete the upload.",
        )

    @classmethod
    def parts(cls, why: str) -> UploadIncompleteError:
        """The parts do not fit."""
        return cls(
            why,
            hint="Name every part by its number, with the ETag that the store answered its PUT with. "
            "POST /api/v1/uploads/{id}/parts gives addresses for parts that must be sent again.",
        )


class WrongWayError(ConflictError):
    """The upload was begun in another way."""

    code = "WRONG_UPLOAD_WAY"

    def __init__(self, upload_id: str, hint: str) -> None:
        super().__init__(f"Upload {upload_id} was begun in another way", hint=hint)


class UploadCompletedError(ConflictError):
    """All of the upload is there already; ``detail.job_id`` is the job that it has become."""

    code = "UPLOAD_COMPLETED"

    @classmethod
    def unless_open(cls, upload: Upload) -> None:
        """Refuses what only an upload can take that is still on its way.

        Raises:
            UploadCompletedError: This one has become a job, or is being examined.
        """
        if upload.state is UploadState.COMPLETED and upload.job_id is not None:
            raise cls(
                f"Upload {upload.id} is completed already: it is job {upload.job_id}",
                hint=f"Follow the job with GET /api/v1/jobs/{upload.job_id}",
                detail={"upload_id": upload.id, "job_id": upload.job_id},
            )
        if upload.state is not UploadState.OPEN:
            raise cls(
                f"All of upload {upload.id} is there already",
                hint=f"Ask what has become of it with GET /api/v1/uploads/{upload.id}",
                detail={"upload_id": upload.id},
            )


class DirectUnavailableError(FrameloomError):
    """The object store takes nothing from clients."""

    code = "DIRECT_UPLOAD_UNAVAILABLE"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            "The object store of this server takes nothing straight from clients",
            hint="Send the file with tus to /api/v1/uploads, or as a form to /api/v1/jobs/",
        )


class TooManyUploadsError(QuotaExceededError):
    """The key has as many unfinished uploads as it may."""

    @classmethod
    def more_than(cls, limit: int) -> TooManyUploadsError:
        """So many are open."""
        return cls(
            f"This key may have {limit} unfinished uploads at once",
            hint="Finish some, or end them with DELETE /api/v1/uploads/{id}",
            detail={"quota": "open_uploads", "limit": limit},
            retry_seconds=None,
        )


class RefusedUploadError(FrameloomError):
    """The upload was refused before, for this reason."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message, hint=refusal.hint, detail=refusal.detail)
        self.code = refusal.code  # type: ignore[misc]  # of the error that it repeats
        self.status = refusal.status  # type: ignore[misc]
