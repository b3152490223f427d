"""The events of jobs as they happen, resumed where a stream broke off.

For one job there are three nets, so that a watcher always learns how it ends: a broken stream is opened again
after the last event; a stream that cannot be had is replaced by asking for the job now and then; and a stream
that stays silent (an older server sends heartbeats only) is checked by asking, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from frameloom.client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RefusedError,
    ServerError,
    UnreachableError,
)
from frameloom.client.feed import Frame, frames, parse
from frameloom.client.fetching import Streams
from frameloom.client.models import FeedItem, Job, JobEvent, TaskProgress

__all__ = ["FollowPolicy", "follow", "follow_all", "parse", "patiently"]

_T = TypeVar("_T")
_REMEMBERED_JOBS = 10_000
_BREAKS = (UnreachableError, ServerError)


class Watchable(Streams, Protocol):
    """What is needed of a connection to watch a job."""

    async def job(self, job_id: str) -> Job:
        """One job."""


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    """How patient a watcher is; all times in seconds."""

    reconnects: int = 5
    """Streams in a row that may break without an event before the watcher only asks for the job."""
    patience_seconds: float = 60.0
    """How long the server may be unreachable at a stretch."""
    silence_seconds: float = 15.0
    """A stream silent this long makes the watcher ask for the job."""
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 4.0
    poll_seconds: float = 1.0
    read_timeout_seconds: float = 90.0
    """No byte for this long, heartbeats included: the stream is dead."""


class _Seen:
    """What has been passed on: events may come twice after a reconnect, never twice to the caller."""

    def __init__(self, last_event_id: str | None) -> None:
        self.last_event_id = last_event_id
        self.status: str | None = None
        self._seqs: OrderedDict[str, int] = OrderedDict()
        job_id, _, number = (last_event_id or "").rpartition(":")
        if job_id and number.isascii() and number.isdecimal():
            self._seqs[job_id] = int(number)

    def is_new(self, frame: Frame) -> bool:
        """Whether there is something in it that was not passed on before."""
        if frame.id:
            self.last_event_id = frame.id
        item = frame.item
        if item is None:
            return False
        if isinstance(item, TaskProgress) or item.seq is None:
            return True
        if item.seq <= self._seqs.get(item.job_id, 0):
            return False
        self._seqs[item.job_id] = item.seq
        self._seqs.move_to_end(item.job_id)
        if len(self._seqs) > _REMEMBERED_JOBS:
            self._seqs.popitem(last=False)
        self.last_event_id = frame.id or f"{item.job_id}:{item.seq}"
        self.status = item.status or self.status
        return True


async def follow(
    client: Watchable,
    job_id: str,
    *,
    last_event_id: str | None = None,
    policy: FollowPolicy | None = None,
) -> AsyncGenerator[FeedItem]:
    """The events of a job in order, each once, up to the one that ends it.

    Args:
        client: The connection.
        job_id: The job.
        last_event_id: Resume after this event (``<job>:<seq>``); from the first one if not given.
        policy: How patient to be.

    Yields:
        Events, and progress between them. The last one has ``ends_job``.

    Raises:
        RefusedError: There is no such job.
        UnreachableError: The server was silent for longer than the policy's patience.
    """
    rules = policy or FollowPolicy()
    seen = _Seen(last_event_id)
    for source in (_streams, _poll):
        async with aclosing(source(client, job_id, seen, rules)) as feed:
            async for item in feed:
                yield item
                if isinstance(item, JobEvent) and item.ends_job:
                    return


async def follow_all(
    connection: Streams, *, last_event_id: str | None = None, policy: FollowPolicy | None = None
) -> AsyncGenerator[FeedItem]:
    """The events of all jobs from now on, each once and in order within its job, without an end.

    Args:
        connection: The server.
        last_event_id: Go on after this event; what happened since then comes first.
        policy: How patient to be.

    Yields:
        Events, and progress between them.

    Raises:
        RefusedError: The server gives no such stream to this key.
        UnreachableError: It can not be reached at the start, or was silent for longer than the patience.
    """
    rules = policy or FollowPolicy()
    seen = _Seen(last_event_id)
    broken, since = 0, time.monotonic() - rules.patience_seconds
    while True:
        try:
            async with aclosing(_frames(connection, {}, seen, rules)) as stream:
                async for frame in stream:
                    broken, since = 0, time.monotonic()
                    if seen.is_new(frame) and frame.item is not None:
                        yield frame.item
        except _BREAKS:
            if time.monotonic() - since >= rules.patience_seconds:
                raise
        broken += 1
        await asyncio.sleep(_delay(broken, rules))


def _frames(
    connection: Streams, params: dict[str, str], seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[Frame]:
    return frames(
        connection,
        params={**params, "format": "events"},  # else a gateway tells in the viewer's words
        last_event_id=seen.last_event_id,
        silence_seconds=rules.silence_seconds,
        read_timeout_seconds=rules.read_timeout_seconds,
    )


async def _streams(
    client: Watchable, job_id: str, seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[FeedItem]:
    """One stream after the other, until too many in a row bring nothing."""
    broken = 0
    while broken <= rules.reconnects:
        try:
            async with aclosing(_stream(client, job_id, seen, rules)) as stream:
                async for item in stream:
                    broken = 0
                    yield item
        except (AuthenticationError, PermissionDeniedError):
            raise
        except RefusedError:
            # No such job, which asking will tell as well; or a server that has no stream.
            return
        broken += 1
        job = await patiently(lambda: client.job(job_id), rules)
        if job.ended and broken > 1:
            # It has ended, and two streams did not tell: the log is not to be had.
            yield _told(job)
            return
        await asyncio.sleep(_delay(broken, rules))


async def _stream(
    client: Watchable, job_id: str, seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[FeedItem]:
    """One stream, until it ends or breaks; new items only."""
    last = time.monotonic()
    try:
        params = {"job_id": job_id, "close_on_end": "true"}
        async with aclosing(_frames(client, params, seen, rules)) as stream:
            async for frame in stream:
                item = frame.item
                if item is not None and item.job_id == job_id and seen.is_new(frame):
                    last = time.monotonic()
                    yield item
                elif time.monotonic() - last >= rules.silence_seconds:
                    last = time.monotonic()
                    job = await client.job(job_id)
                    if job.ended:
                        yield _told(job)
                        return
    except _BREAKS:
        # The caller counts the breaks and asks for the job, which tells a broken stream from a dead server.
        return


async def _poll(client: Watchable, job_id: str, seen: _Seen, rules: FollowPolicy) -> AsyncGenerator[FeedItem]:
    """No stream is to be had: a made-up event for each change of the status, until the end.

    The job may take hours, so this is bounded by its end and by the policy's patience with the server.
    """
    while True:
        job = await patiently(lambda: client.job(job_id), rules)
        if job.status != seen.status:
            seen.status = job.status
            yield _told(job)
        if job.ended:
            return
        await asyncio.sleep(rules.poll_seconds)


async def patiently(call: Callable[[], Awaitable[_T]], policy: FollowPolicy) -> _T:
    """The answer of a call, with patience for a server that restarts.

    Raises:
        UnreachableError: No answer within the policy's patience.
        ServerError: Nothing but 5xx within it.
    """
    since = time.monotonic()
    attempt = 0
    while True:
        try:
            return await call()
        except (UnreachableError, ServerError):
            attempt += 1
            delay = _delay(attempt, policy)
            if time.monotonic() + delay - since > policy.patience_seconds:
                raise
        await asyncio.sleep(delay)


def _delay(attempt: int, rules: FollowPolicy) -> float:
    doubled: float = rules.first_delay_seconds * 2 ** min(attempt - 1, 10)
    return min(rules.longest_delay_seconds, doubled)


def _told(job: Job) -> JobEvent:
    """The state of a job as an event, for a watcher that had to ask."""
    kind = {"pending": "job.submitted", "running": "job.started"}.get(job.status, f"job.{job.status}")
    data = {"asked": True} | ({"error_message": job.error_message} if job.error_message else {})
    return JobEvent(job_id=job.id, type=kind, status=job.status, time=job.completed_at, data=data)
