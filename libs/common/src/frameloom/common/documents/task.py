"""The task document: one pipeline over one media file, with its attempts and its pending events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from frameloom.common.documents.base import Document, Part
from frameloom.common.documents.segments import Segment, SegmentRows
from frameloom.common.pipelines import ArtefactSpec, Progress


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    """Its segments are not done: it will stitch them."""
    QUEUED = "queued"
    RUNNING = "running"
    FINALIZING = "finalizing"
    """The worker is done; the results service assembles."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Nothing leaves this state."""
        return self in {TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED}

    @property
    def leased(self) -> bool:
        """Somebody holds the task, until the lease ends."""
        return self in {TaskState.RUNNING, TaskState.FINALIZING}


class FailureCategory(StrEnum):
    """Why an attempt failed. Which of these are retried is data: see ``machines.retry``."""

    VALIDATION = "validation"
    PARSE_ERROR = "parse_error"
    INPUT_MISSING = "input_missing"
    DECODE_ERROR = "decode_error"
    WORKER_CRASH = "worker_crash"
    WORKER_TIMEOUT = "worker_timeout"
    WORKER_LOST = "worker_lost"
    WORKER_PROTOCOL = "worker_protocol"
    PROVIDER_TRANSIENT = "provider_transient"
    PROVIDER_TERMINAL = "provider_terminal"
    GPU_OOM = "gpu_oom"
    MEMORY_PRESSURE = "memory_pressure"
    STORAGE_ERROR = "storage_error"
    CANCELLED = "cancelled"
    SYSTEM = "system"

    @property
    def input_at_fault(self) -> bool:
        """The media itself can not be read: no other worker will fare better, nothing is worth keeping."""
        return self in {FailureCategory.PARSE_ERROR, FailureCategory.DECODE_ERROR}


class Outcome(StrEnum):
    """How an attempt ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    RELEASED = "released"
    """Given back at a shutdown: not counted against the task."""
    CANCELLED = "cancelled"


class Failure(Part):
    """A failure with a category and a sentence that a user understands."""

    category: FailureCategory
    message: str


class Attempt(Part):
    """One claim of the task by one worker."""

    number: int
    epoch: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.RUNNING
    failure: Failure | None = None


class Artefact(Part):
    """A stored output file."""

    key: str
    filename: str
    format: str
    media_type: str
    size_bytes: int
    sha256: str
    annotation_count: int
    crc32: int | None = None
    """As ZIP archives want it."""


class TaskResult(Part):
    """The visible result: its manifest and files, all of one epoch."""

    epoch: int
    manifest_key: str
    artefacts: tuple[Artefact, ...]
    annotation_count: int
    media_seconds: float | None = None
    """Length of the media, as the decoder found it."""
    waiting: tuple[ArtefactSpec, ...] = ()
    """Files that need another pipeline's rows too, which were not there yet: they come with its result."""
    chunks: int = 0
    """How many chunks the epoch has, where they are the result: of a segment there is no file."""


class TaskEvent(Part):
    """A state change of the task, waiting to be folded into the job document."""

    id: str
    rev: int
    type: str
    time: datetime
    data: dict[str, Any] = Field(default_factory=dict)


class MediaRef(Part):
    """The media file of a job: where its bytes lie and what is known of them."""

    key: str
    filename: str
    """As the client named it, without any folder: metadata, never a path."""
    size_bytes: int
    sha256: str
    content_type: str = "application/octet-stream"
    crc32: int | None = None
    """As ZIP archives want it; None where nobody has seen every byte."""

    @property
    def stem(self) -> str:
        """The file name without its last extension."""
        return self.filename.rsplit(".", 1)[0] or self.filename


class TaskDocument(Document):
    """One task. Every change raises ``rev``; every claim raises ``epoch``, which fences older ones off."""

    job_id: str
    tenant: str
    pipeline: str
    priority: int = 0
    media: MediaRef
    config: dict[str, Any] = Field(default_factory=dict)
    segment: Segment | None = None
    """It works on this part of the media only; no user sees its rows before they are stitched."""
    waits_for: tuple[str, ...] = ()
    """Ids of the segments' tasks, in order: it stitches what they find, and decodes nothing itself."""
    parts: tuple[SegmentRows, ...] = ()
    """Where their rows lie, in the same order; known once all are done."""
    created_at: datetime

    state: TaskState = TaskState.QUEUED
    attempt: int = 1
    """Number of the attempt that runs, or that the next claim will be."""
    epoch: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    """By the database's clock."""
    next_eligible_at: datetime | None = None
    """By the database's clock; None: at once."""
    dispatched_at: datetime | None = None
    dispatches: int = 0
    siblings: int = 0
    """How many other tasks its job has: a worker that claims it may claim those too."""
    led_by: str | None = None
    """The task whose slot it shares while it runs; None: it has a slot of its own, or shares it with others
    that it leads."""
    cancel_requested: bool = False
    deadline_seconds: float | None = None
    progress: Progress | None = None
    attempts: tuple[Attempt, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: Failure | None = None
    result: TaskResult | None = None
    outbox: tuple[TaskEvent, ...] = ()
    pending_fold: bool = False
    """There is an event in the outbox that the job document has not seen yet."""
