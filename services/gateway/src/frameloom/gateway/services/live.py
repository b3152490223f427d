"""The hub of live events: what comes from Kafka is put in order once, and read by every client that may.

Clients of one job share one channel, those of one tenant another, so an event costs those who get it and
nobody else. Where the order of a job needs its document, that is read here, once for all of them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from frameloom.common.background import in_background
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument
from frameloom.common.errors import TransientError
from frameloom.common.events import Event, JobEventMessage, TaskProgressed
from frameloom.gateway.errors import BusyError
from frameloom.gateway.services.channel import Channel
from frameloom.gateway.services.entries import Entry, JobOrder, pulse
from frameloom.gateway.services.presence import End, Presence, Subscription, within_connection

_REMEMBERED_JOBS = 10_000
_REMEMBERED_EVENTS = 4096
_READS_AT_ONCE = 8
_AGAIN_SECONDS = 1.0
_LONGEST_BEAT_SECONDS = 1.0
_BEATS = 4
_SELDOM = 8
_PAGE = 200
_OVERLAP = timedelta(seconds=10)
log = structlog.get_logger(__name__)
P = TypeVar("P", bound=Presence)
Place = tuple[str, str | None]
"""A tenant, and one of its jobs; None: all of them."""


class Documents(Protocol):
    """What is read of the jobs."""

    async def with_tombstone(self, job_id: str) -> JobDocument | None:
        """The job, or what is left of a deleted one until it is purged."""
        ...

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, oldest change first."""
        ...


class LiveEvents:
    """Hands each event to the channels of its job and its tenant.

    Args:
        clock: Tells the time.
        queue_size: Most events that wait for a slow client.
        max_streams: Most clients at once.
        heartbeat_seconds: The longest silence.
    """

    def __init__(
        self, clock: Clock, *, queue_size: int, max_streams: int, heartbeat_seconds: float = 15.0
    ) -> None:
        self._clock = clock
        self._queue_size = queue_size
        self._max_streams = max_streams
        self._heartbeat_seconds = heartbeat_seconds
        self._channels: dict[Place, Channel] = {}
        self._orders: OrderedDict[tuple[str, str], JobOrder] = OrderedDict()
        self._present: set[Presence] = set()
        self._load = 0
        self._wanted: dict[Place, None] = {}
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def open(self) -> int:
        """How many streams there are, as far as they are counted against ``max_streams``."""
        return self._load

    async def handle(self, event: Event) -> None:
        """Takes an event from Kafka; never waits for a client, nor for the database."""
        if not isinstance(event, JobEventMessage | TaskProgressed):
            return
        job = (event.tenant, event.job_id)
        if not self._heard(job):
            return
        order = self._order(job)
        entries = order.take(event) if isinstance(event, JobEventMessage) else order.advance(event)
        self._put(job, entries)
        if order.behind:
            self._want(job)

    def learn(self, job: JobDocument) -> None:
        """A document was read for a client: what others do not know of it, they are told too."""
        place = (job.tenant, job.id)
        if self._heard(place):
            self._put(place, self._order(place).learn(job))

    @contextmanager
    def attended(self, key_id: str | None) -> Iterator[Presence]:
        """A connection that may hold subscriptions; the first of them is counted with it.

        Raises:
            BusyError: There are as many streams as this gateway carries, or it is ending.
        """
        with self._counted(Presence(key_id), 1) as presence:
            yield presence

    @contextmanager
    def subscribed(
        self, tenant: str, job_id: str | None, key_id: str | None = None, *, within: Presence | None = None
    ) -> Iterator[Subscription]:
        """A subscription to a tenant's events, or to those of one job.

        Args:
            tenant: Whose events.
            job_id: Only of this job.
            key_id: The key that the client came with.
            within: The connection that carries it, where that may carry several.

        Raises:
            BusyError: There are as many streams as this gateway carries, or it is ending.
        """
        weight = 0 if within is not None and not within.subscriptions else 1
        place = (tenant, job_id)
        channel = self._channels.get(place)
        if channel is None:
            remembered = _REMEMBERED_EVENTS if job_id is None else 0
            channel = Channel(self._queue_size, remembered, _now(), self._clock.now())
            self._channels[place] = channel
        subscription = Subscription(channel, key_id)
        try:
            with self._counted(subscription, weight), within_connection(within):
                yield subscription
        finally:
            subscription.leave()
            if channel.unread:
                del self._channels[place]
                self._forget(tenant, job_id)

    def close(self) -> None:
        """Ends every stream, and takes no new one."""
        self._closed = True
        for one in self._present:
            one.close(End.SHUTDOWN)

    @property
    def keys(self) -> set[str]:
        """The keys that streams were opened with."""
        return {one.key_id for one in self._present if one.key_id is not None}

    def revoke(self, key_ids: Collection[str]) -> None:
        """Ends the streams of these keys."""
        for one in self._present:
            if one.key_id in key_ids:
                one.close(End.REVOKED)

    @asynccontextmanager
    async def running(self, jobs: Documents) -> AsyncIterator[None]:
        """Reads documents where order needs them, and beats in silences."""
        async with (
            in_background(self._catch_up(jobs), "live-documents"),
            in_background(self._beat(), "live-heartbeats"),
        ):
            yield

    @contextmanager
    def _counted(self, one: P, weight: int) -> Iterator[P]:
        if self._closed or self._load + weight > self._max_streams:
            raise BusyError("Too many event streams are open here", hint="Try again in a moment.")
        self._present.add(one)
        self._load += weight
        try:
            yield one
        finally:
            self._present.discard(one)
            self._load -= weight

    def _heard(self, job: tuple[str, str]) -> bool:
        return job in self._channels or (job[0], None) in self._channels

    def _order(self, job: tuple[str, str]) -> JobOrder:
        order = self._orders.get(job)
        if order is None:
            of_all = self._channels.get((job[0], None))
            order = self._orders[job] = JobOrder(job[1], of_all.since if of_all is not None else None)
        self._orders.move_to_end(job)
        if len(self._orders) > _REMEMBERED_JOBS:
            # Jobs with clients of their own stay: there are never more of them than streams.
            oldest = next((place for place in self._orders if place not in self._channels), job)
            if oldest != job:
                del self._orders[oldest]
        return order

    def _put(self, job: tuple[str, str], entries: list[Entry]) -> None:
        if not entries:
            return
        for place in (job, (job[0], None)):
            if (channel := self._channels.get(place)) is not None:
                channel.put(entries, _now())

    def _want(self, place: Place) -> None:
        self._wanted[place] = None
        self._wake.set()

    def _forget(self, tenant: str, job_id: str | None) -> None:
        """Nobody hears these any more: what is not heard is not kept in order."""
        if job_id is not None:
            if not self._heard((tenant, job_id)):
                self._orders.pop((tenant, job_id), None)
            return
        for place in [p for p in self._orders if p[0] == tenant and p not in self._channels]:
            del self._orders[place]

    async def _catch_up(self, jobs: Documents) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted = list(self._wanted)
            self._wanted.clear()
            for first in range(0, len(wanted), _READS_AT_ONCE):
                group = wanted[first : first + _READS_AT_ONCE]
                if not all(await asyncio.gather(*(self._read(place, jobs) for place in group))):
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self, place: Place, jobs: Documents) -> bool:
        """Reads what is wanted of the documents; whether that could be done. If not, it is wanted still."""
        tenant, job_id = place
        try:
            if job_id is None:
                await self._read_changed(tenant, jobs)
            elif self._heard((tenant, job_id)):
                await self._read_job((tenant, job_id), jobs)
        except TransientError as error:
            log.warning("events wait for the documents", job_id=job_id, reason=str(error))
            self._want(place)
            return False
        except Exception:
            # A document that can not be read must not take the gateway down; whoever asks for it is told.
            log.exception("a document could not be read for the live feed", job_id=job_id)
        return True

    async def _read_job(self, job: tuple[str, str], jobs: Documents) -> None:
        waits = self._order(job).waits
        document = await jobs.with_tombstone(job[1])
        if not self._heard(job):
            return
        order = self._order(job)
        if document is not None and document.tenant == job[0]:
            self._put(job, order.learn(document, waited_for=waits))
        else:
            self._put(job, order.missing(self._clock.now()))

    async def _read_changed(self, tenant: str, jobs: Documents) -> None:
        """Looks for events of a tenant's jobs that Kafka never brought."""
        channel, now = self._channels.get((tenant, None)), self._clock.now()
        if channel is None:
            return
        page = await jobs.changed_since(tenant, channel.checked - _OVERLAP, _PAGE)
        for job in page:
            self.learn(job)
        if len(page) == _PAGE and page[-1].updated_at > channel.checked:
            channel.checked = page[-1].updated_at
            self._want((tenant, None))
        else:
            channel.checked = now

    async def _beat(self) -> None:
        """One timer for all silences. After one, the documents have the last word: an event may be lost."""
        while True:
            await asyncio.sleep(min(_LONGEST_BEAT_SECONDS, self._heartbeat_seconds / _BEATS))
            now = _now()
            silent = [
                (place, channel)
                for place, channel in self._channels.items()
                if now - channel.spoke_at >= self._heartbeat_seconds
            ]
            beat = [pulse(self._clock.now())]
            for place, channel in silent:
                channel.put(beat, now)
                channel.silences += 1
                if not self._over(place) or channel.silences % _SELDOM == 0:
                    self._want(place)

    def _over(self, place: Place) -> bool:
        """Whether it is a job that has come to its end: nothing but its deletion can follow."""
        tenant, job_id = place
        order = None if job_id is None else self._orders.get((tenant, job_id))
        return order is not None and order.view is not None and order.view.over


def _now() -> float:
    return asyncio.get_running_loop().time()
