"""The job document: what was asked for, how its tasks stand, and the log of its events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from frameloom.common.documents.base import Document, Part
from frameloom.common.documents.media import MediaFacts
from frameloom.common.documents.task import Failure, MediaRef, TaskResult, TaskState

__all__ = ["LISTED", "JobDocument", "JobEvent", "JobStatus", "MediaRef", "TaskSummary"]


class JobStatus(StrEnum):
    """Where a job stands, in the words of the VideoAnnotator API; ``deleted`` is ours, and never shown."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    """Gone for every user; the document is a tombstone until everything of the job is removed."""

    @property
    def terminal(self) -> bool:
        """The work is over: nothing but ``deleted`` follows."""
        return self not in {JobStatus.PENDING, JobStatus.RUNNING}


LISTED: tuple[JobStatus, ...] = tuple(status for status in JobStatus if status is not JobStatus.DELETED)
"""What users see: a deleted job is in no list and no count."""


class JobEvent(Part):
    """One entry of the job's event log: a stable id, and a sequence that counts from 1 without a gap."""

    id: str
    seq: int
    type: str
    status: JobStatus
    """The job's status right after the event."""
    time: datetime
    data: dict[str, Any] = Field(default_factory=dict)


class TaskSummary(Part):
    """A task as the job document knows it; ``rev`` is the last revision folded in."""

    id: str
    pipeline: str
    rev: int = 0
    state: TaskState = TaskState.QUEUED
    attempt: int = 1
    worker: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    result: TaskResult | None = None


class JobDocument(Document):
    """One job. The event log is part of it, so a state change and its event are one update."""

    tenant: str
    key_id: str | None = None
    """The API key that it came with, and that it counts against: of a line of rotations the first."""
    media: MediaRef
    facts: MediaFacts | None = None
    """What the probe of the upload saw."""
    config: dict[str, Any] = Field(default_factory=dict)
    selected_pipelines: tuple[str, ...]
    priority: int = 0
    created_at: datetime
    updated_at: datetime

    status: JobStatus = JobStatus.PENDING
    planned: bool = False
    cancel_requested: bool = False
    tasks: tuple[TaskSummary, ...] = ()
    """One per pipeline. Of one that runs in segments it is the task that stitches them."""
    segments: tuple[TaskSummary, ...] = ()
    """The tasks of segments; they never have a result of their own."""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    video_duration_seconds: float | None = None
    tidied: bool = False
    """What it no longer needs was removed from the bucket: chunks, and media that no pipeline could read; of
    a deleted job everything."""
    deleted_at: datetime | None = None

    events: tuple[JobEvent, ...] = ()
    seq: int = 0
    """Sequence of the newest event."""
    relayed_seq: int = 0
    """Sequence of the newest event that is known to be in Kafka."""
    relay_due: bool = False
