"""An event stream for one client: what it missed from the documents, then live, each event once and in order.

The client is registered in the hub before the documents are read, so nothing falls between the two; what
comes both ways is known by its sequence, and a sequence that skips is filled from the document.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.errors import JobNotFoundError
from frameloom.common.ports.stores import JobStore
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.channel import News
from frameloom.gateway.services.entries import Entry, entries_of
from frameloom.gateway.services.frames import Frame, connected, lagged
from frameloom.gateway.services.live import LiveEvents
from frameloom.gateway.services.presence import End, Presence, Subscription
from frameloom.gateway.services.projection import LAST
from frameloom.gateway.services.wanted import Wanted

_PAGE = 500
_MAX_PAGES = 40
_AT_ONCE = 100
_REMEMBERED_JOBS = 10_000


class StreamService:
    """Opens event streams."""

    def __init__(self, hub: LiveEvents, jobs: JobStore, clock: Clock, *, overlap_seconds: float) -> None:
        self._hub = hub
        self._jobs = jobs
        self._clock = clock
        self._overlap = timedelta(seconds=overlap_seconds)

    @asynccontextmanager
    async def opened(
        self, caller: Caller, wanted: Wanted, within: Presence | None = None
    ) -> AsyncIterator[Stream]:
        """A stream; it ends when the hub ends it, or as ``close_on_end`` says.

        Raises:
            JobNotFoundError: The job is not the caller's.
            BusyError: There are too many streams.
        """
        if caller.job_id is not None and wanted.job_id != caller.job_id:
            raise JobNotFoundError(wanted.job_id or "(all)")
        with self._hub.subscribed(caller.tenant, wanted.job_id, caller.key_id, within=within) as subscription:
            stream = Stream(self, subscription, caller, wanted)
            await stream.admit()
            yield stream

    def attended(self, caller: Caller) -> AbstractContextManager[Presence]:
        """A connection of this caller, within which streams may be opened.

        Raises:
            BusyError: There are too many.
        """
        return self._hub.attended(caller.key_id)

    async def own(self, caller: Caller, job_id: str) -> JobDocument:
        """The caller's job.

        Raises:
            JobNotFoundError: There is none of this id, or it is another's, or it was deleted.
        """
        job = await self.job(caller, job_id)
        if job is None or job.status is JobStatus.DELETED:
            raise JobNotFoundError(job_id)
        return job

    async def job(self, caller: Caller, job_id: str) -> JobDocument | None:
        """The caller's job as it is now; the hub learns what is new in it.

        Of a deleted one what is left: who watched it is told what came before, and that it was deleted.
        """
        job = await self._jobs.with_tombstone(job_id)
        if job is None or job.tenant != caller.tenant:
            return None
        self._hub.learn(job)
        return job

    async def changed(self, caller: Caller, since: datetime) -> AsyncIterator[list[JobDocument]]:
        """The caller's jobs that changed since a little before ``since``, page by page.

        An empty page at the end says that there are more than it tells of.
        """
        seen: set[str] = set()
        start = since - self._overlap
        for _ in range(_MAX_PAGES):
            page = await self._jobs.changed_since(caller.tenant, start, _PAGE)
            fresh = [job for job in page if job.id not in seen]
            if fresh:
                yield page
            if len(page) < _PAGE:
                return
            if not fresh:
                break
            seen.update(job.id for job in fresh)
            start = page[-1].updated_at
        yield []

    def passes(self, entry: Entry, since: datetime) -> bool:
        """Whether a replay from ``since`` tells of this."""
        return entry.time >= since - self._overlap

    def now(self) -> datetime:
        """The time."""
        return self._clock.now()


class Stream:
    """One client's stream: up to which sequence each job was told."""

    def __init__(
        self,
        service: StreamService,
        subscription: Subscription,
        caller: Caller,
        wanted: Wanted,
    ) -> None:
        self.wanted = wanted
        self._service = service
        self._subscription = subscription
        self._caller = caller
        self._job: JobDocument | None = None
        self._told: dict[str, int] = {}
        self._newest = service.now()
        self._over = False

    @property
    def end(self) -> End | None:
        """Why it ended, if not by itself."""
        return self._subscription.end

    async def admit(self) -> None:
        """Sees to it that the job is the caller's.

        Raises:
            JobNotFoundError: It is not.
        """
        if self.wanted.job_id is not None:
            self._job = await self._service.own(self._caller, self.wanted.job_id)

    async def batches(self) -> AsyncGenerator[Sequence[Frame]]:
        """All frames in order; those that are there at once come together."""
        yield (connected(self.wanted.form, self._service.now()),)
        async for batch in self._replayed():
            yield batch
            del batch  # a thousand streams that wait would each keep their last one
        while not self._over and (news := await self._subscription.next()) is not None:
            if news.missed:
                async for batch in self._missed(news):
                    yield batch
            if frames := await self._live(news.entries):
                yield frames
            del news, frames

    async def _replayed(self) -> AsyncIterator[Sequence[Frame]]:
        job, after = self._job, self.wanted.after
        self._job = None  # not kept for the life of the stream
        if job is not None:
            # A position that the log never had is of no use: the client is told all that comes.
            self._tell(job.id, min(after.seq, job.seq) if after and after.job_id == job.id else 0)
            for batch in self._batched(self._unknown(job)):
                yield batch
        elif after is not None and self.wanted.job_id is None:
            origin = await self._service.job(self._caller, after.job_id)
            since = after.earliest
            if origin is not None:
                self._tell(origin.id, min(after.seq, origin.seq))
                since = next((e.time for e in origin.events if e.seq == after.seq), origin.updated_at)
            if since is not None:
                async for batch in self._since(since):
                    yield batch
            if origin is not None:
                for batch in self._batched(await self._caught_up(origin.id)):
                    yield batch

    async def _missed(self, news: News) -> AsyncIterator[Sequence[Frame]]:
        """Tells a slow client so, and what it missed."""
        yield (lagged(news.missed, self._service.now()),)
        first = news.first_missed if self.wanted.job_id is None else {self.wanted.job_id: 1}
        if first is None:
            async for batch in self._since(self._newest):
                yield batch
            return
        for job_id, seq in first.items():
            if job_id not in self._told:
                self._tell(job_id, seq - 1)
            for batch in self._batched(await self._caught_up(job_id)):
                yield batch

    async def _live(self, entries: Iterable[Entry]) -> list[Frame]:
        """What came live, as far as it is news; a sequence that skips is filled from the document."""
        frames: list[Frame] = []
        for entry in entries:
            if entry.job_id is not None and entry.seq is not None:
                told = self._told.get(entry.job_id)
                if told is not None and entry.seq > told + 1:
                    frames += self._framed(await self._caught_up(entry.job_id))
                    told = self._told[entry.job_id]
                if told is not None and entry.seq <= told:
                    continue
                self._tell(entry.job_id, entry.seq)
                self._newest = max(self._newest, entry.time)
            if self._over:
                break
            frames += self._framed([entry])
        return frames

    def _batched(self, entries: Sequence[Entry]) -> Iterator[Sequence[Frame]]:
        for first in range(0, len(entries), _AT_ONCE):
            if not self._over and (frames := self._framed(entries[first : first + _AT_ONCE])):
                yield frames

    def _framed(self, entries: Iterable[Entry]) -> list[Frame]:
        """Entries as frames, up to the one that ends the stream."""
        frames: list[Frame] = []
        for entry in entries:
            frames += entry.frames(self.wanted.form)
            if self.wanted.close_on_end and self.wanted.job_id is not None and entry.kind in LAST:
                self._over = True
                break
        return frames

    async def _since(self, since: datetime) -> AsyncIterator[Sequence[Frame]]:
        """What this stream has not told of all jobs that changed since then, from their documents."""
        async for page in self._service.changed(self._caller, since):
            if not page:
                yield (lagged(None, self._service.now()),)
            entries: list[Entry] = []
            for job, entry in _by_time(page):
                seq, told = entry.seq or 0, self._told.get(job.id)
                if seq > (told or 0) and (told is not None or self._service.passes(entry, since)):
                    self._tell(job.id, seq)
                    entries.append(entry)
            for job in page:
                self._tell(job.id, max(job.seq, self._told.get(job.id, 0)))
            for batch in self._batched(entries):
                yield batch

    async def _caught_up(self, job_id: str) -> list[Entry]:
        """What the document knows of a job and the client does not."""
        job = await self._service.job(self._caller, job_id)
        return [] if job is None else self._unknown(job)

    def _unknown(self, job: JobDocument) -> list[Entry]:
        entries = list(entries_of(job, self._told.get(job.id, 0)))
        if entries:
            self._tell(job.id, max(entry.seq or 0 for entry in entries))
        return entries

    def _tell(self, job_id: str, seq: int) -> None:
        self._told.pop(job_id, None)
        self._told[job_id] = seq
        if len(self._told) > _REMEMBERED_JOBS:
            del self._told[next(iter(self._told))]


def _by_time(jobs: Iterable[JobDocument]) -> list[tuple[JobDocument, Entry]]:
    """All events of these jobs by time, but never against their sequence within a job."""
    keyed = []
    for job in jobs:
        latest = datetime.min.replace(tzinfo=UTC)
        for entry in entries_of(job):
            latest = max(latest, entry.time)
            keyed.append((latest, job.id, entry.seq or 0, job, entry))
    keyed.sort(key=lambda row: row[:3])
    return [(job, entry) for *_, job, entry in keyed]
