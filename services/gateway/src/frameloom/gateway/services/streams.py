"""An event stream for one client: what it missed from the documents, then live, each event once and in order.

The client is registered in the hub before the documents are read, so nothing falls between the two; what
comes both ways is known by its sequence, and a sequence that skips is filled from the document.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobEvent
from frameloom.common.errors import JobNotFoundError
from frameloom.common.events import JobEventMessage, TaskProgressed
from frameloom.common.ports.stores import JobStore
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.live import Lagged, LiveEvents, Subscription

_PAGE = 500
_MAX_PAGES = 40
_REMEMBERED_JOBS = 10_000
_HEARTBEAT = "heartbeat"
_LAST = {"job.completed", "job.failed", "job.cancelled"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the stream.

    Attributes:
        event: Its name.
        data: Its JSON body.
        id: Where a client goes on after a break; telemetry has none.
    """

    event: str
    data: dict[str, Any]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """The last event that a client has seen: ``<job_id>:<seq>``."""

    job_id: str
    seq: int

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """The position in a ``Last-Event-ID``; None when there is none, or it is not one of ours."""
        job_id, colon, seq = (text or "").strip().rpartition(":")
        if not (colon and job_id and seq.isascii() and seq.isdigit() and len(seq) < 19):
            return None
        return cls(job_id, int(seq))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked for.

    Attributes:
        job_id: Only this job; None: all of the tenant's.
        after: Where the client goes on.
        close_on_end: End the stream after the job's last event.
    """

    job_id: str | None = None
    after: Position | None = None
    close_on_end: bool = False


class StreamService:
    """Opens event streams."""

    def __init__(
        self,
        hub: LiveEvents,
        jobs: JobStore,
        clock: Clock,
        *,
        heartbeat_seconds: float,
        overlap_seconds: float,
    ) -> None:
        self._hub = hub
        self._jobs = jobs
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._overlap = timedelta(seconds=overlap_seconds)

    @asynccontextmanager
    async def opened(self, caller: Caller, wanted: Wanted) -> AsyncIterator[AsyncIterator[Frame]]:
        """A stream; it ends when the hub closes, or as ``close_on_end`` says.

        Raises:
            JobNotFoundError: The job is not the caller's.
            BusyError: There are too many streams.
        """
        with self._hub.subscribed(caller.tenant, wanted.job_id) as subscription:
            if wanted.job_id is not None:
                await self._own(caller, wanted.job_id)
            yield _Stream(self, subscription, caller, wanted).frames()

    async def _own(self, caller: Caller, job_id: str) -> JobDocument:
        job = await self._jobs.get(job_id)
        if job is None or job.tenant != caller.tenant:
            raise JobNotFoundError(job_id)
        return job

    async def job(self, job_id: str) -> JobDocument | None:
        """The job as it is now."""
        return await self._jobs.get(job_id)

    async def changed(self, caller: Caller, since: datetime) -> AsyncIterator[list[JobDocument]]:
        """The caller's jobs that changed since a little before ``since``, page by page."""
        seen: set[str] = set()
        start = since - self._overlap
        for _ in range(_MAX_PAGES):
            page = await self._jobs.changed_since(caller.tenant, start, _PAGE)
            fresh = [job for job in page if job.id not in seen]
            if fresh:
                yield page
            if len(page) < _PAGE or not fresh:
                return
            seen.update(job.id for job in fresh)
            start = page[-1].updated_at

    def passes(self, event: JobEvent, since: datetime) -> bool:
        """Whether a replay from ``since`` tells of this event."""
        return event.time >= since - self._overlap

    async def heard(self, subscription: Subscription) -> Frame | JobEventMessage | Lagged:
        """What comes next: a frame to send as it is, or something to bring in order first."""
        item = await subscription.next(self._heartbeat_seconds)
        if item is None:
            return Frame(_HEARTBEAT, {"type": _HEARTBEAT, "timestamp": self.now()})
        return _progress(item) if isinstance(item, TaskProgressed) else item

    def now(self) -> str:
        """The time as it is written."""
        return _iso(self._clock.now())


class _Stream:
    """The state of one stream: up to which sequence each job was told."""

    def __init__(
        self, service: StreamService, subscription: Subscription, caller: Caller, wanted: Wanted
    ) -> None:
        self._service = service
        self._subscription = subscription
        self._caller = caller
        self._wanted = wanted
        self._told: OrderedDict[str, int] = OrderedDict()

    async def frames(self) -> AsyncIterator[Frame]:
        """All frames, in order."""
        yield Frame("connected", {"type": "connected", "timestamp": self._service.now()})
        async for frame in self._replayed():
            yield frame
            if self._ends(frame):
                return
        while True:
            item = await self._service.heard(self._subscription)
            if isinstance(item, Frame) and self._subscription.closed:
                return
            async for frame in self._ordered(item):
                yield frame
                if self._ends(frame):
                    return

    async def _replayed(self) -> AsyncIterator[Frame]:
        wanted, after = self._wanted, self._wanted.after
        if wanted.job_id is not None:
            self._tell(wanted.job_id, after.seq if after and after.job_id == wanted.job_id else 0)
            async for frame in self._caught_up(wanted.job_id):
                yield frame
            return
        origin = await self._service.job(after.job_id) if after else None
        if after is None or origin is None or origin.tenant != self._caller.tenant:
            return
        self._tell(origin.id, after.seq)
        since = next((event.time for event in origin.events if event.seq == after.seq), origin.updated_at)
        async for page in self._service.changed(self._caller, since):
            for job, event in _by_time(page):
                news = job.id in self._told or self._service.passes(event, since)
                if news and event.seq > self._told.get(job.id, 0):
                    self._tell(job.id, event.seq)
                    yield _event(job, event)
            for job in page:
                self._tell(job.id, max(job.seq, self._told.get(job.id, 0)))
        async for frame in self._caught_up(origin.id):
            yield frame

    async def _ordered(self, item: Frame | JobEventMessage | Lagged) -> AsyncIterator[Frame]:
        if isinstance(item, Frame):
            if item.event == _HEARTBEAT and self._wanted.job_id is not None:
                # After silence the document has the last word: an event may have been lost on its way here.
                async for frame in self._caught_up(self._wanted.job_id):
                    yield frame
            yield item
            return
        if isinstance(item, Lagged):
            yield Frame("lagged", {"type": "lagged", "missed": item.missed, "timestamp": self._service.now()})
            for job_id, first in item.first_seq.items():
                if job_id not in self._told:
                    self._tell(job_id, first - 1)
                async for frame in self._caught_up(job_id):
                    yield frame
            return
        told = self._told.get(item.job_id)
        if told is not None and item.seq <= told:
            return
        if told is not None and item.seq > told + 1:
            async for frame in self._caught_up(item.job_id):
                yield frame
            if item.seq <= self._told[item.job_id]:
                return
        self._tell(item.job_id, item.seq)
        yield _message(item)

    async def _caught_up(self, job_id: str) -> AsyncIterator[Frame]:
        """What the document knows of a job and the client does not."""
        job = await self._service.job(job_id)
        if job is None or job.tenant != self._caller.tenant:
            return
        for event in job.events:
            if event.seq > self._told.get(job_id, 0):
                self._tell(job_id, event.seq)
                yield _event(job, event)

    def _tell(self, job_id: str, seq: int) -> None:
        self._told[job_id] = seq
        self._told.move_to_end(job_id)
        if len(self._told) > _REMEMBERED_JOBS:
            self._told.popitem(last=False)

    def _ends(self, frame: Frame) -> bool:
        return self._wanted.close_on_end and self._wanted.job_id is not None and frame.event in _LAST


def _by_time(jobs: Iterable[JobDocument]) -> list[tuple[JobDocument, JobEvent]]:
    """All events of these jobs by time, but never against their sequence within a job."""
    keyed = []
    for job in jobs:
        latest = datetime.min.replace(tzinfo=UTC)
        for event in job.events:
            latest = max(latest, event.time)
            keyed.append((latest, job.id, event.seq, job, event))
    keyed.sort(key=lambda entry: entry[:3])
    return [(job, event) for *_, job, event in keyed]


def _frame(job_id: str, seq: int, event: JobEvent | JobEventMessage, status: str) -> Frame:
    body = {
        "job_id": job_id,
        "seq": seq,
        "id": event.id,
        "type": event.type,
        "status": status,
        "time": _iso(event.time),
        "data": event.data,
    }
    return Frame(event.type, body, id=f"{job_id}:{seq}")


def _event(job: JobDocument, event: JobEvent) -> Frame:
    return _frame(job.id, event.seq, event, event.status.value)


def _message(message: JobEventMessage) -> Frame:
    return _frame(message.job_id, message.seq, message, message.status)


def _progress(event: TaskProgressed) -> Frame:
    facts = {
        "task_id": event.task_id,
        "pipeline": event.pipeline,
        "epoch": event.epoch,
        **event.progress.model_dump(mode="json"),
    }
    body = {"job_id": event.job_id, "type": "task.progress", "time": _iso(event.time), "data": facts}
    return Frame("task.progress", body)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
