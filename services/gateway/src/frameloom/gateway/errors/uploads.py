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


class StillImageError(FrameloomError):
    """The file is a picture that does not move."""

    code = "STILL_IMAGE"
    status = 415


class IndirectMediaError(FrameloomError):
    """The file names others instead of holding its media: a playlist, a reference movie."""

    code = "INDIRECT_MEDIA"
    status = 415


class UnsupportedCodecError(FrameloomError):
    """The container can be read, but not what is in it."""

    code = "UNSUPPORTED_CODEC"
    status = 415


class NoMediaStreamError(FrameloomError):
    """The container holds neither picture nor sound."""

    code = "NO_MEDIA_STREAM"
    status = 415


class MediaDamagedError(FrameloomError):
    """The file begins as media, but can not be read or decoded."""

    code = "MEDIA_DAMAGED"
    status = 400


class MediaLimitError(FrameloomError):
    """The media are beyond what this server takes; ``detail`` has the limit."""

    code = "MEDIA_LIMIT_EXCEEDED"
    status = 400


class MediaNotUsableError(FrameloomError):
    """None of the chosen pipelines can do anything with this kind of media."""

    code = "MEDIA_NOT_USABLE"
    status = 400


class ProbeTimeoutError(FrameloomError):
    """The file could not be examined in the time for it: such files are made to keep a server busy."""

    code = "PROBE_TIMEOUT"
    status = 400


class ProbeFailedError(FrameloomError):
    """The process that examined the file died of it, or ran out of its memory."""

    code = "PROBE_FAILED"
    status = 400


class ProbeUnavailableError(TransientError):
    """Uploads can not be examined: the process for it does not start."""

    code = "PROBE_UNAVAILABLE"


class UploadTimeoutError(FrameloomError):
    """The client stopped sending, or sends too slowly."""

    code = "UPLOAD_TIMEOUT"
    status = 408


class UploadAbortedError(FrameloomError):
    """The client went away in the middle of its upload. Nobody is left to read the answer."""

    code = "UPLOAD_ABORTED"
    status = 400
