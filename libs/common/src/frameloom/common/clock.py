"""Time and ids, behind small ports so that tests decide both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid5

import uuid_utils

_TASK_NAMESPACE = UUID("9c0c6b36-6f0f-4f43-9d2f-6d2f4c1b7d10")


class Clock(Protocol):
    """Tells the current time."""

    def now(self) -> datetime:
        """The time, in UTC, with its zone."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, in UTC, cut to milliseconds: what MongoDB keeps, so a stored time compares equal."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class ManualClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """The time set last."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock forward."""
        self._now += timedelta(seconds=seconds)


def new_id() -> str:
    """A fresh UUIDv7: ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


def task_id(job_id: str, pipeline: str) -> str:
    """The id of a job's task for one pipeline.

    Derived (UUIDv5), not minted, so that planning the same job twice names the same tasks and the second
    insert finds them there.
    """
    return str(uuid5(_TASK_NAMESPACE, f"{job_id}/{pipeline}"))


def segment_task_id(job_id: str, pipeline: str, index: int, count: int) -> str:
    """The id of the task for one of ``count`` segments; derived likewise."""
    return str(uuid5(_TASK_NAMESPACE, f"{job_id}/{pipeline}/{index}/{count}"))
