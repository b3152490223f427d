"""Server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

import structlog
from aiohttp import web

from frameloom.common.errors import FrameloomError
from frameloom.gateway.services.streams import Stream

_RETRY = b"retry: 2000\n\n"
"""After so many milliseconds a client that was cut off comes again."""
_ROOM_BYTES = 32 * 1024
"""Less than what is buffered before a write waits for the client."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventStream:
    """A feed to be sent while the client stays.

    Attributes:
        opened: Entered before the response begins, so that a refusal still has its status.
        write_timeout_seconds: How long a client may leave its socket full.
    """

    opened: AbstractAsyncContextManager[Stream]
    write_timeout_seconds: float


async def send_events(request: web.Request, stream: EventStream) -> web.StreamResponse:
    """Answers with the stream until it ends or the client goes."""
    async with stream.opened as feed:
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
            await response.write(_RETRY)
            async with aclosing(feed.batches()) as batches:
                async for batch in batches:
                    data = b"".join([frame.sse for frame in batch])
                    if _has_room(request, data):
                        await response.write(data)
                    else:
                        async with asyncio.timeout(stream.write_timeout_seconds):
                            await response.write(data)
                    del batch, data
        except (ConnectionError, TimeoutError):
            log.debug("stream left", path=request.path)
        except FrameloomError as error:
            # The client connects again by itself and goes on after its last event.
            log.warning("stream broken off", path=request.path, reason=error.message)
        return response


def _has_room(request: web.Request, data: bytes) -> bool:
    """Whether a write can not wait for the client, and so needs no timer."""
    transport = request.transport
    return transport is not None and not transport.get_write_buffer_size() and len(data) < _ROOM_BYTES
