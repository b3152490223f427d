"""The errors that only the gateway raises, beside those of ``frameloom.common``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frameloom.common.errors import ConflictError, FrameloomError, NotFoundError, TransientError


class InvalidRequestError(FrameloomError):
    """The request makes no sense as it is."""

    code = "INVALID_REQUEST"
    status = 400


class InvalidConfigError(FrameloomError):
    """The configuration does not fit the pipelines; ``detail`` names each problem."""

    code = "INVALID_CONFIG"
    status = 400


class UnknownPipelineError(FrameloomError):
    """A submission names pipelines that nobody offers."""

    code = "PIPELINE_NOT_FOUND"
    status = 400

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        what = "Unknown pipeline" if len(unknown) == 1 else "Unknown pipelines"
        super().__init__(
            f"{what}: {', '.join(unknown)}",
            hint=f"Choose among: {', '.join(known)}" if known else "No worker has offered a pipeline yet.",
            detail={"unknown": list(unknown), "known": list(known)},
        )


class PipelineUnavailableError(FrameloomError):
    """The pipeline is known, but no worker can run it as things are."""

    code = "PIPELINE_UNAVAILABLE"
    status = 400

    def __init__(self, reasons: dict[str, str]) -> None:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        super().__init__(
            f"Not available: {told}",
            hint="GET /api/v1/pipelines/ tells what can run.",
            detail={"reasons": reasons},
        )


class PipelineNotFoundError(NotFoundError):
    """No pipeline of this name was ever offered."""

    code = "PIPELINE_NOT_FOUND"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Pipeline '{name}' not found",
            hint="GET /api/v1/pipelines/ lists them.",
            detail={"pipeline_name": name, "known": list(known)},
        )


class PayloadTooLargeError(FrameloomError):
    """The upload is larger than this server takes."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413

    def __init__(self, what: str, limit_bytes: int) -> None:
        super().__init__(
            f"{what} is larger than the {limit_bytes} bytes that this server takes",
            hint="Send a smaller file, or ask the operator to raise the limit.",
            detail={"limit_bytes": limit_bytes},
        )


class UnsupportedMediaError(FrameloomError):
    """The bytes are no media file that we read."""

    code = "UNSUPPORTED_MEDIA"
    status = 415


class UploadTimeoutError(FrameloomError):
    """The client stopped sending."""

    code = "UPLOAD_TIMEOUT"
    status = 408


class UploadAbortedError(FrameloomError):
    """The client went away in the middle of its upload. Nobody is left to read the answer."""

    code = "UPLOAD_ABORTED"
    status = 400


class BusyError(TransientError):
    """This gateway has as many uploads or streams as it carries."""

    code = "BUSY"


class JobAlreadyCompletedError(ConflictError):
    """The job is over: it can not be cancelled any more."""

    code = "JOB_ALREADY_COMPLETED"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"Job {job_id} is already {status}",
            hint="Only pending and running jobs can be cancelled.",
            detail={"job_id": job_id, "status": status},
        )


class ResultFileNotFoundError(NotFoundError):
    """The pipeline has results, but no file of this name."""

    code = "RESULT_FILE_NOT_FOUND"


class RangeNotSatisfiableError(FrameloomError):
    """The range begins behind the end of the file."""

    code = "RANGE_NOT_SATISFIABLE"
    status = 416

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"The file has only {size_bytes} bytes",
            hint="Ask for a range inside the file.",
            detail={"size_bytes": size_bytes},
        )
        self.size_bytes = size_bytes


class RequestInvalidError(FrameloomError):
    """Parameters that do not fit: answered in FastAPI's plain form, without the envelope.

    Attributes:
        problems: Items ``{type, loc, msg, input, ctx?}``.
    """

    code = "VALIDATION_ERROR"
    status = 422

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("The request does not fit its description")
        self.problems = problems

    @classmethod
    def missing(cls, *loc: str) -> RequestInvalidError:
        """A required part is not there."""
        return cls([{"type": "missing", "loc": list(loc), "msg": "Field required", "input": None}])
