"""An orderly end: what is under way is finished, nothing new begins.

aiohttp's own shutdown stops reading from every connection at once, which would starve the uploads that it
then waits for. So they are waited for before it is told.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class InFlight:
    """Counts the requests that are being answered."""

    def __init__(self) -> None:
        self._count = 0
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def draining(self) -> bool:
        """Whether the process is ending."""
        return self._draining

    def middleware(self) -> Middleware:
        """Counts; to be put outside all others."""

        @web.middleware
        async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._count += 1
            self._idle.clear()
            try:
                response = await handler(request)
            finally:
                self._count -= 1
                if self._count == 0:
                    self._idle.set()
            if self._draining:
                response.force_close()  # the client's next request goes to another gateway
            return response

        return counted

    async def drained(self, grace_seconds: float) -> bool:
        """Waits until nothing is under way any more; whether that came within the grace."""
        self._draining = True
        try:
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


IN_FLIGHT = web.AppKey("in_flight", InFlight)
