"""What a live feed tells, one thing after the other, and the order of one job's. Pure.

What comes from Kafka may come twice, late, or never; the document has it all. :class:`JobOrder` lets each
event of a job through once and in sequence, and says when the document must be read to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.events import JobEventMessage, TaskProgressed
from frameloom.gateway.services.frames import Format, Frame, heartbeat
from frameloom.gateway.services.projection import (
    JobView,
    LogEvent,
    advance,
    event_frames,
    event_progress,
    fold,
    viewer_frames,
    viewer_progress,
)

HEARTBEAT = "heartbeat"
DELETED = "job.deleted"
_MOST_HELD = 256


class Entry:
    """One thing to tell; its frames are made when the first client wants them, and shared.

    Attributes:
        kind: Type of the event.
        time: When it happened.
        job_id: The job, unless it is about none.
        seq: Its place in the job's log; None: it has none, and is not repeated.
        topic: Of telemetry: what it is about. A newer entry of the same topic makes this one worthless.
        outdates: Of an event: the topic of the telemetry that it makes worthless.
    """

    __slots__ = ("_made", "_make", "job_id", "kind", "outdates", "seq", "time", "topic")

    def __init__(
        self,
        kind: str,
        time: datetime,
        make: Callable[[Format], tuple[Frame, ...]],
        *,
        job_id: str | None = None,
        seq: int | None = None,
        topic: str | None = None,
        outdates: str | None = None,
    ) -> None:
        self.kind = kind
        self.time = time
        self.job_id = job_id
        self.seq = seq
        self.topic = topic
        self.outdates = outdates
        self._make = make
        self._made: dict[Format, tuple[Frame, ...]] = {}

    def frames(self, form: Format) -> tuple[Frame, ...]:
        """What is sent for it."""
        if (made := self._made.get(form)) is None:
            made = self._made[form] = self._make(form)
        return made

    def unnumbered(self) -> Entry:
        """The same without a place in the log."""

        def make(form: Format) -> tuple[Frame, ...]:
            return tuple(replace(frame, id=None) for frame in self._make(form))

        return Entry(self.kind, self.time, make, job_id=self.job_id, outdates=self.outdates)


def logged(before: JobView, after: JobView, event: LogEvent) -> Entry:
    """An event of a job's log."""

    def make(form: Format) -> tuple[Frame, ...]:
        if form is Format.VIEWER:
            return viewer_frames(before, after, event)
        return event_frames(after.job_id, event)

    ended = event.data.get("task_id") if event.type != "task.started" else None
    return Entry(
        event.type,
        event.time,
        make,
        job_id=after.job_id,
        seq=event.seq,
        outdates=str(ended) if ended else None,
    )


def telemetry(after: JobView, told: TaskProgressed) -> Entry:
    """Progress of a task."""

    def make(form: Format) -> tuple[Frame, ...]:
        return viewer_progress(after, told) if form is Format.VIEWER else event_progress(after, told)

    return Entry("task.progress", told.time, make, job_id=told.job_id, topic=told.task_id)


def pulse(now: datetime) -> Entry:
    """A heartbeat."""
    return Entry(HEARTBEAT, now, lambda form: (heartbeat(form, now),), topic=HEARTBEAT)


def entries_of(job: JobDocument, after: int = 0) -> Iterator[Entry]:
    """A document's whole log, from behind a sequence on."""
    view = JobView(job.id)
    for event in job.events:
        before, view = view, fold(view, event)
        if event.seq > after:
            yield logged(before, view, event)


class JobOrder:
    """One job, as far as it was told.

    Args:
        job_id: The job.
        since: What happened later is news, whether it was heard or not; None: only what was heard is.

    Attributes:
        view: Of the log up to the last event told; None until the document was read, or the job was heard of
            from its first event on.
        behind: The document must be read to go on: call :meth:`learn` with it.
    """

    def __init__(self, job_id: str, since: datetime | None = None) -> None:
        self.view: JobView | None = None
        self.behind = False
        self._job_id = job_id
        self._since = since
        self._first: int | None = None
        self._held: dict[int, JobEventMessage] = {}
        self._gone = False

    def take(self, event: JobEventMessage) -> list[Entry]:
        """What can be told now that an event came."""
        if self.view is None and event.seq == 1:
            self.view = JobView(self._job_id)
        if self.view is not None and event.seq <= self.view.seq:
            return []
        if self.view is None:
            self._first = min(event.seq, self._first or event.seq)
        if len(self._held) < _MOST_HELD:  # the document has what is not held
            self._held[event.seq] = event
        told = self._next_ones()
        self.behind = bool(self._held) or self.view is None
        return told

    def advance(self, told: TaskProgressed) -> list[Entry]:
        """Takes telemetry; there is nothing to tell while the job is not known, or if it is old."""
        if self.view is None:
            self.behind = True
            return []
        if (after := advance(self.view, told)) is None:
            return []
        self.view = after
        return [telemetry(after, told)]

    @property
    def waits(self) -> int:
        """The highest sequence that waits for those before it; 0: none does."""
        return max(self._held, default=0)

    def learn(self, job: JobDocument, waited_for: int = 0) -> list[Entry]:
        """What can be told now that the document was read.

        Args:
            job: The document.
            waited_for: What :attr:`waits` was before the read. What the document does not have up to there is
                not waited for any longer.
        """
        if self.view is None:
            view, first = JobView(job.id), self._first or job.seq + 1
            for event in job.events:
                if event.seq >= first or (self._since is not None and event.time > self._since):
                    break
                view = fold(view, event)
            self.view = view
        told = [self._tell(event) for event in job.events if event.seq > self.view.seq]
        told += self._next_ones()
        told += self._rest(waited_for)
        self.behind = bool(self._held)
        return told

    def missing(self, now: datetime) -> list[Entry]:
        """What is to be told now that there is no document any more: the rest, and that it was deleted."""
        known = self.view is not None
        if self.view is None:
            self.view = JobView(self._job_id, seq=(self._first or 1) - 1)
        told = self._rest(self.waits)
        self.behind = False
        if known and not self._gone:
            event = JobEventMessage(
                time=now,
                job_id=self._job_id,
                tenant="",
                seq=self.view.seq + 1,
                type=DELETED,
                status=JobStatus.DELETED,
            )
            # Its own event was lost, with its number: nobody can go on after this one.
            told.append(self._tell(event).unnumbered())
        return told

    def _next_ones(self) -> list[Entry]:
        told: list[Entry] = []
        while self.view is not None and (event := self._held.pop(self.view.seq + 1, None)) is not None:
            told.append(self._tell(event))
        if self.view is not None:
            self._held = {seq: event for seq, event in self._held.items() if seq > self.view.seq}
        return told

    def _rest(self, up_to: int) -> list[Entry]:
        told = [self._tell(self._held.pop(seq)) for seq in sorted(self._held) if seq <= up_to]
        return told + self._next_ones()

    def _tell(self, event: LogEvent) -> Entry:
        assert self.view is not None
        before, self.view = self.view, fold(self.view, event)
        self._gone = self._gone or event.type == DELETED
        return logged(before, self.view, event)
