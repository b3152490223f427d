"""What can go wrong for a client, each kind with the exit code of the command line."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """Exit codes of ``frameloom``; they are documented in docs/cli.md and do not change."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    MISSING = 5
    INTERNAL = 70
    INTERRUPTED = 130


class ClientError(Exception):
    """Base of all expected faults.

    Attributes:
        code: Stable, machine-readable name; the server's own where it gave one.
        exit_code: What the command line ends with.
        hint: What to do about it, if there is something to do.
        status: HTTP status, if the server answered.
        detail: Facts for a program; JSON types only.
    """

    code = "CLIENT_ERROR"
    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        status: int | None = None,
        detail: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).code
        self.status = status
        self.detail = detail

    def __repr__(self) -> str:
        facts = [
            repr(self.message),
            *([f"status={self.status}"] if self.status else []),
            f"code={self.code!r}",
        ]
        return f"{type(self).__name__}({', '.join(facts)})"

    def document(self) -> dict[str, Any]:
        """The error as the ``--json`` output shows it."""
        facts = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "status": self.status,
            "detail": self.detail,
        }
        return {key: value for key, value in facts.items() if value is not None} | {
            "exit_code": int(self.exit_code)
        }


class UsageError(ClientError):
    """The request makes no sense as given: a bad option, a file that can not be read or written."""

    code = "USAGE"
    exit_code = ExitCode.USAGE


class UnreachableError(ClientError):
    """The server did not answer, or broke off."""

    code = "SERVER_UNREACHABLE"
    exit_code = ExitCode.UNREACHABLE


class ServerError(ClientError):
    """The server answered that it can not do it now (5xx), or with something that is no answer."""

    code = "SERVER_ERROR"
    exit_code = ExitCode.UNREACHABLE


class IntegrityError(ServerError):
    """A downloaded file is not the one that the server describes: its size or its sha256 differs."""

    code = "INTEGRITY"


class RefusedError(ClientError):
    """The server understood and refused (4xx)."""

    code = "REFUSED"
    exit_code = ExitCode.REFUSED


class AuthenticationError(RefusedError):
    """No key was sent, or one that the server does not know, or no longer (401)."""

    code = "UNAUTHORIZED"


class PermissionDeniedError(RefusedError):
    """The key does not allow this (403)."""

    code = "FORBIDDEN"


class NotFoundError(RefusedError):
    """There is no such thing, or it is not yours (404)."""

    code = "NOT_FOUND"


class ConflictError(RefusedError):
    """The state of the thing forbids it (409)."""

    code = "CONFLICT"


class RateLimitedError(RefusedError):
    """More was asked for than the key may have (429).

    Attributes:
        retry_after_seconds: When the server says it may be tried again.
    """

    code = "RATE_LIMITED"
    retry_after_seconds: float | None = None


class UnavailableError(ServerError):
    """The server can not do it right now (503).

    Attributes:
        retry_after_seconds: When the server says it may be tried again.
    """

    code = "UNAVAILABLE"
    retry_after_seconds: float | None = None


class WaitTimeoutError(ClientError, TimeoutError):
    """The job did not end in the time that was given. It goes on."""

    code = "WAIT_TIMEOUT"
    exit_code = ExitCode.JOB_FAILED


class MissingCapabilityError(ClientError):
    """Something optional is not installed, or does not work on this machine."""

    code = "CAPABILITY_MISSING"
    exit_code = ExitCode.MISSING
