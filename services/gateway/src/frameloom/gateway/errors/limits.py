"""Why a request is refused that would be fine later, or from somebody who uses less."""

from __future__ import annotations

from typing import Any

from frameloom.common.errors import FrameloomError


class TooManyRequestsError(FrameloomError):
    """Something is used up for now.

    Attributes:
        retry_seconds: When it may be tried again; None: not by waiting.
    """

    status = 429

    def __init__(
        self, message: str, *, hint: str, detail: dict[str, Any] | None = None, retry_seconds: int | None
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.retry_seconds = retry_seconds


class RateLimitedError(TooManyRequestsError):
    """Requests come too fast: `Retry-After` tells when the next one may come."""

    code = "RATE_LIMITED"

    @classmethod
    def requests(cls, retry_seconds: int) -> RateLimitedError:
        """One key sends too many."""
        return cls(
            "Too many requests with this key",
            hint=f"Try again in {retry_seconds} s. The RateLimit headers of every answer tell what is left.",
            retry_seconds=retry_seconds,
        )

    @classmethod
    def wrong_keys(cls, retry_seconds: int) -> RateLimitedError:
        """One address sends too many wrong keys."""
        return cls(
            "Too many wrong keys from this address",
            hint=f"Check the key, and try again in {retry_seconds} s.",
            retry_seconds=retry_seconds,
        )


class QuotaExceededError(TooManyRequestsError):
    """The key has as many jobs under way, or as many bytes stored, as it may."""

    code = "QUOTA_EXCEEDED"
    _JOBS_RETRY_SECONDS = 10

    @classmethod
    def jobs(cls, limit: int) -> QuotaExceededError:
        """Too many jobs are pending or running."""
        return cls(
            f"This key may have {limit} job{'s' * (limit != 1)} pending or running at once",
            hint="Wait until one has ended, or cancel one.",
            detail={"quota": "concurrent_jobs", "limit": limit},
            retry_seconds=cls._JOBS_RETRY_SECONDS,
        )

    @classmethod
    def full(cls, limit: int) -> QuotaExceededError:
        """All bytes are used."""
        return cls(
            f"The media of this key's jobs take all of the {limit} bytes that it may store",
            hint="Delete jobs that are not needed any more.",
            detail={"quota": "stored_bytes", "limit": limit, "bytes_left": 0},
            retry_seconds=None,
        )

    @classmethod
    def too_large(cls, bytes_left: int) -> QuotaExceededError:
        """The upload is larger than what is left."""
        return cls(
            f"The file is larger than the {bytes_left} bytes that this key may still store",
            hint="Send a smaller file, or delete jobs that are not needed any more.",
            detail={"quota": "stored_bytes", "bytes_left": bytes_left},
            retry_seconds=None,
        )
