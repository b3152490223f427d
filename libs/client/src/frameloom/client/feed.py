"""One event stream: server-sent events, made into typed items."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import httpx_sse
from pydantic import ValidationError

from frameloom.client.errors import ServerError
from frameloom.client.fetching import Streams
from frameloom.client.models import FeedItem, JobEvent, Progress, TaskProgress
from frameloom.client.transport import API

_STREAM = f"{API}/events/stream"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream, or a silence.

    Attributes:
        item: What it says; None: a heartbeat, a silence, or something that this version does not know.
        id: Where to go on after it, if it says so.
    """

    item: FeedItem | None = None
    id: str | None = None


async def frames(
    connection: Streams,
    *,
    params: Mapping[str, str],
    last_event_id: str | None,
    silence_seconds: float,
    read_timeout_seconds: float,
) -> AsyncGenerator[Frame]:
    """One stream until it ends; the first frame tells that it is open.

    Args:
        connection: The server.
        params: Of the query: which events.
        last_event_id: Go on after this one.
        silence_seconds: After so long without a message there is an empty frame.
        read_timeout_seconds: No byte for so long, heartbeats included: the stream is dead.

    Raises:
        RefusedError: The server has no such stream.
        UnreachableError: It can not be had, or broke.
        ServerError: What comes is no event stream.
    """
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    timeout = httpx.Timeout(10.0, connect=5.0, read=read_timeout_seconds)
    async with connection.stream(_STREAM, params=dict(params), headers=headers, timeout=timeout) as response:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise ServerError(f"What the server sends is no event stream but {kind or 'of no kind'}")
        yield Frame()
        async with (
            aclosing(httpx_sse.EventSource(response).aiter_sse()) as lines,
            aclosing(_with_silences(lines, silence_seconds)) as events,
        ):
            async for event in events:
                yield Frame() if event is None else Frame(parse(event), event.id or None)


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
