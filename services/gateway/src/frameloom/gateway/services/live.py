"""The hub of live events: what comes from Kafka is handed to every connected client that may see it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from frameloom.common.events import Event, JobEventMessage, TaskProgressed
from frameloom.gateway.errors import BusyError

_MAX_MISSED_JOBS = 1000


@dataclass(frozen=True, slots=True)
class Lagged:
    """The client was too slow: these events were not queued for it.

    Attributes:
        missed: How many.
        first_seq: By job, the sequence of the first one missed.
    """

    missed: int
    first_seq: dict[str, int]


Item = JobEventMessage | TaskProgressed | Lagged


class Subscription:
    """One client's bounded queue.

    When it is full, job events are only counted, and the client is told and caught up from the documents;
    progress is dropped, since the next one says more.

    Attributes:
        closed: No further event comes: the gateway ends, or the client is hopelessly behind.
    """

    def __init__(self, tenant: str, job_id: str | None, size: int) -> None:
        self.closed = False
        self._tenant = tenant
        self._job_id = job_id
        self._size = size
        self._queue: deque[JobEventMessage | TaskProgressed] = deque()
        self._missed = 0
        self._first_missed: dict[str, int] = {}
        self._changed = asyncio.Event()

    def offer(self, event: JobEventMessage | TaskProgressed) -> None:
        """Queues an event if this client may see it. Returns at once."""
        if self.closed or event.tenant != self._tenant or self._job_id not in {None, event.job_id}:
            return
        full = len(self._queue) >= self._size
        if isinstance(event, TaskProgressed):
            if full or self._missed:
                return
            self._queue.append(event)
        elif full or self._missed:
            # Once one was missed, the later ones are too, or they would overtake it.
            self._missed += 1
            self._first_missed.setdefault(event.job_id, event.seq)
            if len(self._first_missed) > _MAX_MISSED_JOBS:
                self.close()
        else:
            self._queue.append(event)
        self._changed.set()

    def close(self) -> None:
        """Ends the subscription once what is queued has been read."""
        self.closed = True
        self._changed.set()

    async def next(self, timeout_seconds: float) -> Item | None:
        """The next item; None when none came in time or the subscription is closed."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (self._queue or self._missed or self.closed):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return None
        if self._queue:
            return self._queue.popleft()
        if self._missed:
            lagged = Lagged(self._missed, self._first_missed)
            self._missed, self._first_missed = 0, {}
            return lagged
        return None


class LiveEvents:
    """Hands each event to every subscription."""

    def __init__(self, *, queue_size: int, max_streams: int) -> None:
        self._queue_size = queue_size
        self._max_streams = max_streams
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    async def handle(self, event: Event) -> None:
        """Takes an event from Kafka; never waits for a client."""
        if isinstance(event, JobEventMessage | TaskProgressed):
            for subscription in self._subscriptions:
                subscription.offer(event)

    @contextmanager
    def subscribed(self, tenant: str, job_id: str | None) -> Iterator[Subscription]:
        """A subscription to a tenant's events, or to those of one job.

        Raises:
            BusyError: There are as many streams as this gateway carries, or it is ending.
        """
        if self._closed or len(self._subscriptions) >= self._max_streams:
            raise BusyError("Too many event streams are open here", hint="Try again in a moment.")
        subscription = Subscription(tenant, job_id, self._queue_size)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Ends every stream, and takes no new one."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
