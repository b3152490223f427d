"""Typed errors: a stable code, an HTTP status, a sentence, and what the user can do about it."""

from __future__ import annotations

from typing import Any, ClassVar

from frameloom.common.text import cut


class FrameloomError(Exception):
    """Base of every error that may reach a user.

    Attributes:
        code: Stable, machine-readable name.
        status: HTTP status that the gateway answers with.
        hint: What to do about it, if there is something to do.
        detail: Facts for a program (ids, limits); JSON types only.
    """

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 500

    def __init__(
        self, message: str, *, hint: str | None = None, detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class NotFoundError(FrameloomError):
    """What was asked for does not exist, or is not the caller's."""

    code = "NOT_FOUND"
    status = 404


class JobNotFoundError(NotFoundError):
    """No such job."""

    code = "JOB_NOT_FOUND"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"Job {cut(job_id)} not found",
            hint="List the jobs with GET /api/v1/jobs/",
            detail={"job_id": cut(job_id)},
        )


class ConflictError(FrameloomError):
    """The state of the thing forbids what was asked."""

    code = "CONFLICT"
    status = 409


class TransientError(FrameloomError):
    """A dependency did not answer: trying again later may work."""

    code = "TEMPORARILY_UNAVAILABLE"
    status = 503


class DatabaseUnavailableError(TransientError):
    """MongoDB did not answer in time."""

    code = "DATABASE_UNAVAILABLE"


class BrokerUnavailableError(TransientError):
    """Kafka did not answer in time."""

    code = "BROKER_UNAVAILABLE"


class StorageUnavailableError(TransientError):
    """The object store did not answer in time."""

    code = "STORAGE_UNAVAILABLE"


class ObjectNotFoundError(NotFoundError):
    """No object has this key."""

    code = "OBJECT_NOT_FOUND"

    def __init__(self, key: str) -> None:
        super().__init__(f"The object {key} does not exist", detail={"key": key})


class ObjectChangedError(ConflictError):
    """The object is no longer the one that was seen before."""

    code = "OBJECT_CHANGED"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The object {key} was changed meanwhile", hint="Upload it again.", detail={"key": key}
        )


class PartsLostError(ConflictError):
    """The object store knows of no such upload in parts: joined, dropped, or given up by the store."""

    code = "PARTS_LOST"


class PartsMismatchError(ConflictError):
    """The parts are not those that the object store has, or one of them is too small."""

    code = "PARTS_MISMATCH"


class PoisonMessageError(FrameloomError):
    """A message that can not be read: wrong bytes, unknown type or version."""

    code = "POISON_MESSAGE"


class ConfigurationError(FrameloomError):
    """The process was started with settings that can not work."""

    code = "CONFIGURATION"
