"""The events that travel over Kafka: pydantic models, versioned, with CloudEvents attributes in headers.

The body is JSON; the headers say what it is (``ce_type`` ends in the version), so that a consumer can pass
over what it does not know without parsing it. Unknown fields are ignored when reading: a newer producer
may add some.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from frameloom.common.clock import new_id
from frameloom.common.documents.task import Failure, MediaRef, TaskDocument, TaskEvent
from frameloom.common.errors import PoisonMessageError
from frameloom.common.pipelines import ArtefactSpec, Item, Progress

_SPEC_VERSION = "1.0"
_MOST_LETTER_BYTES = 512 * 1024


class Event(BaseModel):
    """Base of all events.

    Attributes:
        TYPE: CloudEvents type, its last part the version of the shape.
        id: Stable: a repeated delivery has the same id.
        time: When it happened.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    TYPE: ClassVar[str]

    id: str = Field(default_factory=new_id)
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def subject(self) -> str:
        """What it is about: the CloudEvents subject."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """Kafka's message key: events of one key keep their order."""
        return self.subject


class JobEventMessage(Event):
    """An entry of a job's event log: the public feed."""

    TYPE = "frameloom.job-event.v1"

    job_id: str
    tenant: str
    seq: int
    type: str
    """``job.submitted``, ``job.started``, ``task.completed``, …"""
    status: str
    """The job's status right after the event."""
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The job."""
        return self.job_id


class TaskChanged(Event):
    """A task changed: a wake-up for the scheduler. The truth is in the task document."""

    TYPE = "frameloom.task-changed.v1"

    job_id: str
    task_id: str
    pipeline: str
    rev: int
    state: str

    @classmethod
    def of(cls, task: TaskDocument) -> Self:
        """The wake-up for a task that was just written."""
        return cls(
            job_id=task.job_id, task_id=task.id, pipeline=task.pipeline, rev=task.rev, state=task.state
        )

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id

    @property
    def key(self) -> str:
        """By job, so that one scheduler folds a job's tasks."""
        return self.job_id


class TaskDispatched(Event):
    """There is a task to claim: a reference, not the task."""

    TYPE = "frameloom.task-dispatched.v1"

    task_id: str
    job_id: str
    pipeline: str
    attempt: int

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id


class TaskCancelRequested(Event):
    """A task that a worker runs is to be cancelled: a hint to look at its document at once."""

    TYPE = "frameloom.task-cancel-requested.v1"

    job_id: str
    task_id: str
    epoch: int

    @classmethod
    def of(cls, task: TaskDocument) -> Self:
        """The hint for the claim that holds the task now."""
        return cls(job_id=task.job_id, task_id=task.id, epoch=task.epoch)

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id


class TaskProgressed(Event):
    """How far a running task is. Telemetry: neither stored nor replayed."""

    TYPE = "frameloom.task-progressed.v1"

    job_id: str
    tenant: str
    task_id: str
    pipeline: str
    epoch: int
    progress: Progress
    segments: int = 0
    """The task works on one of so many segments; 0: on the whole."""

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id

    @property
    def key(self) -> str:
        """By job, as its other events."""
        return self.job_id


class AnnotationChunk(Event):
    """Some annotations of one epoch of a task, in order of ``seq`` (from 0)."""

    TYPE = "frameloom.annotation-chunk.v1"

    job_id: str
    task_id: str
    epoch: int
    seq: int
    start_seconds: float
    end_seconds: float
    items: tuple[Item, ...]

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id

    @property
    def key(self) -> str:
        """By job: of two pipelines, who handles the end of the second has handled that of the first."""
        return self.job_id


class Provenance(BaseModel):
    """Where a result comes from; it is written into every artefact."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    input_sha256: str
    pipeline: str
    pipeline_version: str
    models: dict[str, str] = Field(default_factory=dict)
    """sha256 by model name."""
    config: dict[str, Any] = Field(default_factory=dict)
    decoder: str
    frameloom_version: str
    worker: str
    started_at: datetime
    ended_at: datetime


class AnnotationsFinished(Event):
    """The worker has sent all chunks of this epoch: the results service may assemble."""

    TYPE = "frameloom.annotations-finished.v1"

    job_id: str
    task_id: str
    epoch: int
    chunks: int
    media: MediaRef
    media_seconds: float
    artefacts: tuple[ArtefactSpec, ...]
    provenance: Provenance

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id

    @property
    def key(self) -> str:
        """By job: of two pipelines, who handles the end of the second has handled that of the first."""
        return self.job_id


class DeadLetter(Event):
    """A message that could not be handled, with where it stood and why."""

    TYPE = "frameloom.dead-letter.v1"

    consumer: str
    topic: str
    partition: int
    offset: int
    reason: str
    headers: dict[str, str] = Field(default_factory=dict)
    body_base64: str
    body_bytes: int | None = None
    """Size of the message's body, of which a large one is cut: in base64 a letter outgrows its message."""

    @classmethod
    def of(
        cls,
        *,
        consumer: str,
        topic: str,
        partition: int,
        offset: int,
        reason: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Self:
        """The letter for a message that could not be handled."""
        return cls(
            consumer=consumer,
            topic=topic,
            partition=partition,
            offset=offset,
            reason=reason,
            headers=dict(headers),
            body_base64=base64.b64encode((body or b"")[:_MOST_LETTER_BYTES]).decode(),
            body_bytes=len(body or b""),
        )

    @property
    def subject(self) -> str:
        """The place of the message."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class TaskGivenUp(Event):
    """A task failed for good: its last attempt, or one that no retry can help. Its id is the failure's."""

    TYPE = "frameloom.task-given-up.v1"

    job_id: str
    tenant: str
    task_id: str
    pipeline: str
    attempts: int
    failure: Failure

    @classmethod
    def of(cls, task: TaskDocument, event: TaskEvent, failure: Failure) -> Self:
        """The notice for a failed task and the event that its failure emitted."""
        return cls(
            id=event.id,
            time=event.time,
            job_id=task.job_id,
            tenant=task.tenant,
            task_id=task.id,
            pipeline=task.pipeline,
            attempts=len(task.attempts),
            failure=failure,
        )

    @property
    def subject(self) -> str:
        """The task."""
        return self.task_id


EVENT_TYPES: Mapping[str, type[Event]] = {
    kind.TYPE: kind
    for kind in (
        JobEventMessage,
        TaskChanged,
        TaskDispatched,
        TaskCancelRequested,
        TaskProgressed,
        AnnotationChunk,
        AnnotationsFinished,
        DeadLetter,
        TaskGivenUp,
    )
}


class Encoded(BaseModel):
    """An event as it goes over the wire."""

    model_config = ConfigDict(frozen=True)

    key: bytes
    body: bytes
    headers: dict[str, str]
    content_type: Literal["application/json"] = "application/json"

    @classmethod
    def of(cls, event: Event, source: str) -> Self:
        """Encodes an event; ``source`` names the service that emits it."""
        headers = {
            "ce_specversion": _SPEC_VERSION,
            "ce_id": event.id,
            "ce_type": event.TYPE,
            "ce_source": f"/frameloom/{source}",
            "ce_subject": event.subject,
            "ce_time": event.time.isoformat(),
            "content-type": "application/json",
        }
        if isinstance(event, JobEventMessage):
            headers["ce_sequence"] = str(event.seq)
        return cls(key=event.key.encode(), body=event.model_dump_json().encode(), headers=headers)


def decode(body: bytes | None, headers: Mapping[str, str]) -> Event:
    """The event in a message.

    Raises:
        PoisonMessageError: The type or version is unknown, or the body does not fit it.
    """
    name = headers.get("ce_type")
    kind = EVENT_TYPES.get(name or "")
    if kind is None:
        raise PoisonMessageError(f"Unknown event type {name!r}", hint="Is a newer producer running?")
    try:
        return kind.model_validate_json(body or b"")
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise PoisonMessageError(f"{name} does not fit its shape: {problems}") from error
