"""Places for uploads: so many at once, and of one key only a part of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from frameloom.gateway.errors import BusyError


class UploadPlaces:
    """Hands out places; who waits for one leaves its body unread in the client: back-pressure, not memory.

    Args:
        total: How many there are.
        per_key: How many of them one key may hold.
        wait_seconds: How long an upload waits for its place.
    """

    def __init__(self, *, total: int, per_key: int, wait_seconds: float) -> None:
        self._all = asyncio.Semaphore(total)
        self._per_key = per_key
        self._wait_seconds = wait_seconds
        self._keys: dict[str, _Share] = {}

    @asynccontextmanager
    async def taken(self, key: str | None) -> AsyncIterator[None]:
        """A place for one upload of this key; without keys there is nobody to be fair to.

        Raises:
            BusyError: None became free in time.
        """
        async with (
            self._share(key) as share,
            _within(share, self._wait_seconds, "of this key "),
            _within(self._all, self._wait_seconds, ""),
        ):
            yield

    @asynccontextmanager
    async def _share(self, key: str | None) -> AsyncIterator[asyncio.Semaphore]:
        """The places of a key, remembered while somebody holds or awaits one."""
        if key is None:
            yield asyncio.Semaphore(1)
            return
        share = self._keys.setdefault(key, _Share(self._per_key))
        share.users += 1
        try:
            yield share
        finally:
            share.users -= 1
            if not share.users:
                del self._keys[key]


class _Share(asyncio.Semaphore):
    users = 0


@asynccontextmanager
async def _within(places: asyncio.Semaphore, seconds: float, whose: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            await places.acquire()
    except TimeoutError:
        raise BusyError(
            f"Too many uploads {whose}are in progress", hint="Try again in a moment, or ask another gateway."
        ) from None
    try:
        yield
    finally:
        places.release()
