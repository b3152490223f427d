"""Server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from aiohttp import web

from frameloom.common.errors import FrameloomError
from frameloom.gateway.services.streams import Frame

_RECONNECT_MS = 2000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventStream:
    """Frames to be sent while the client stays.

    Attributes:
        opened: Entered before the response begins, so that a refusal still has its status.
        write_timeout_seconds: How long a client may leave its socket full.
    """

    opened: AbstractAsyncContextManager[AsyncIterator[Frame]]
    write_timeout_seconds: float


async def send_events(request: web.Request, stream: EventStream) -> web.StreamResponse:
    """Answers with the stream until it ends or the client goes."""
    async with stream.opened as frames:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        response.force_close()
        await response.prepare(request)
        try:
            await response.write(f"retry: {_RECONNECT_MS}\n\n".encode())
            async for frame in frames:
                async with asyncio.timeout(stream.write_timeout_seconds):
                    await response.write(encoded(frame))
        except (ConnectionError, TimeoutError):
            log.debug("stream left", path=request.path)
        except FrameloomError as error:
            # The client connects again by itself and goes on after its last event.
            log.warning("stream broken off", path=request.path, reason=error.message)
        return response


def encoded(frame: Frame) -> bytes:
    """A frame on the wire."""
    lines = [f"id: {frame.id}"] if frame.id is not None else []
    lines += [f"event: {frame.event}", f"data: {json.dumps(frame.data, ensure_ascii=False, default=str)}"]
    return ("\n".join(lines) + "\n\n").encode()
