"""An answer that comes bit by bit, for as long as its client stays and this gateway is not ending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import web

from frameloom.gateway.http.draining import IN_FLIGHT

_WRITE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Trickle:
    """Pieces of text.

    Attributes:
        pieces: As they go over the wire.
        content_type: Of all of them.
    """

    pieces: AsyncGenerator[bytes, None]
    content_type: str = "text/event-stream"


async def send_pieces(request: web.Request, trickle: Trickle) -> web.StreamResponse:
    """Answers until the last piece, or until the client has left."""
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{trickle.content_type}; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    response.force_close()
    await response.prepare(request)
    try:
        async with aclosing(trickle.pieces) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(_WRITE_SECONDS):
                    await response.write(piece)
                if request.app[IN_FLIGHT].draining:
                    break
    except (ConnectionError, TimeoutError):
        pass  # it has left
    return response
