"""The events of a job as they happen: server-sent events, resumed where they broke off.

Three nets under it, so that a watcher always learns how a job ends: a broken stream is opened again with
``Last-Event-ID``; a stream that cannot be had is replaced by asking for the job now and then; and a stream
that stays silent (an older server sends heartbeats only) is checked by asking, too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import httpx_sse
from pydantic import ValidationError

from frameloom.client.api import AsyncClient
from frameloom.client.errors import RefusedError, ServerError, UnreachableError
from frameloom.client.models import FeedItem, Job, JobEvent, Progress, TaskProgress

_T = TypeVar("_T")
_STREAM = "/api/v1/events/stream"


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
        self.seq = _sequence(last_event_id)
        self.status: str | None = None

    def is_new(self, item: FeedItem) -> bool:
        if isinstance(item, TaskProgress) or item.seq is None:
            return True
        if item.seq <= self.seq:
            return False
        self.seq = item.seq
        self.last_event_id = item.id if item.id and ":" in item.id else f"{item.job_id}:{item.seq}"
        self.status = item.status or self.status
        return True


async def follow(
    client: AsyncClient,
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


async def _streams(
    client: AsyncClient, job_id: str, seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[FeedItem]:
    """One stream after the other, until too many in a row bring nothing."""
    broken = 0
    while broken <= rules.reconnects:
        try:
            async with aclosing(_stream(client, job_id, seen, rules)) as stream:
                async for item in stream:
                    broken = 0
                    yield item
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
    client: AsyncClient, job_id: str, seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[FeedItem]:
    """One stream, until it ends or breaks; new items only."""
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if seen.last_event_id:
        headers["Last-Event-ID"] = seen.last_event_id
    timeout = httpx.Timeout(10.0, connect=5.0, read=rules.read_timeout_seconds)
    params = {"job_id": job_id, "close_on_end": "true"}
    last = time.monotonic()
    try:
        async with (
            client.stream(_STREAM, params=params, headers=headers, timeout=timeout) as response,
            aclosing(httpx_sse.EventSource(response).aiter_sse()) as lines,
            aclosing(_with_silences(lines, rules.silence_seconds)) as events,
        ):
            async for event in events:
                item = None if event is None else parse(event)
                if item is not None and item.job_id == job_id and seen.is_new(item):
                    last = time.monotonic()
                    yield item
                elif time.monotonic() - last >= rules.silence_seconds:
                    last = time.monotonic()
                    job = await client.job(job_id)
                    if job.ended:
                        yield _told(job)
                        return
    except (UnreachableError, ServerError, httpx_sse.SSEError):
        # The caller counts the breaks and asks for the job, which tells a broken stream from a dead server.
        return


async def _with_silences(
    events: AsyncGenerator[httpx_sse.ServerSentEvent], seconds: float
) -> AsyncGenerator[httpx_sse.ServerSentEvent | None]:
    """The events, and a None after each silence, without disturbing the read that is under way."""
    reading: asyncio.Task[httpx_sse.ServerSentEvent | None] | None = None
    try:
        while True:
            if reading is None:
                reading = asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({reading}, timeout=seconds)
            if not done:
                yield None
                continue
            finished, reading = reading, None
            event = finished.result()
            if event is None:
                return
            yield event
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})


async def _next(events: AsyncGenerator[httpx_sse.ServerSentEvent]) -> httpx_sse.ServerSentEvent | None:
    return await anext(events, None)


async def _poll(
    client: AsyncClient, job_id: str, seen: _Seen, rules: FollowPolicy
) -> AsyncGenerator[FeedItem]:
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


def parse(event: httpx_sse.ServerSentEvent) -> FeedItem | None:
    """The typed item in a server-sent event; None for heartbeats and what this version does not know."""
    try:
        document = json.loads(event.data) if event.data else None
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    document.setdefault("type", event.event)
    try:
        if document["type"] == "task.progress":
            return _progress(document)
        return JobEvent.model_validate(document)
    except ValidationError:
        return None


def _progress(document: dict[str, Any]) -> TaskProgress:
    """Progress with its facts in ``data`` as every event, or beside it; flat, or in ``progress``."""
    data = document.pop("data", None)
    facts = document | data if isinstance(data, dict) else document
    facts.setdefault("progress", {name: facts[name] for name in Progress.model_fields if name in facts})
    return TaskProgress.model_validate(facts)


def _sequence(event_id: str | None) -> int:
    _, _, number = (event_id or "").rpartition(":")
    return int(number) if number.isascii() and number.isdecimal() else 0


def _told(job: Job) -> JobEvent:
    """The state of a job as an event, for a watcher that had to ask."""
    kind = {"pending": "job.submitted", "running": "job.started"}.get(job.status, f"job.{job.status}")
    data = {"asked": True} | ({"error_message": job.error_message} if job.error_message else {})
    return JobEvent(job_id=job.id, type=kind, status=job.status, time=job.completed_at, data=data)
