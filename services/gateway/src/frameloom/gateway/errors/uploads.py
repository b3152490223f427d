"""Why an upload is not taken."""

from __future__ import annotations

from frameloom.common.errors import FrameloomError, TransientError


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


class ProbeUnavailableError(TransientError):
    """Uploads can not be examined: the process for it does not start."""

    code = "PROBE_UNAVAILABLE"
