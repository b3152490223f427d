"""Ends the streams of keys that have ended: a request is judged once, but a stream may be open for days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock
from frameloom.common.ports.stores import KeyStore
from frameloom.gateway.services.live import LiveEvents

_SHORTEST_SECONDS = 1.0
log = structlog.get_logger(__name__)


class KeyWatch:
    """Looks now and then whether the keys of open streams still work.

    Args:
        hub: Has the streams.
        keys: Where the keys lie.
        clock: Judges expiry.
        every_seconds: Pause between two looks; a second at least.
    """

    def __init__(self, hub: LiveEvents, keys: KeyStore, clock: Clock, every_seconds: float) -> None:
        self._hub = hub
        self._keys = keys
        self._clock = clock
        self._every_seconds = max(every_seconds, _SHORTEST_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks in the background."""
        watching = repeatedly(self.look, self._every_seconds, "could not look after the keys of streams")
        async with in_background(watching, "key-watch"):
            yield

    async def look(self) -> None:
        """Looks once.

        Raises:
            TransientError: The database does not answer; the streams go on.
        """
        for key_id in self._hub.keys:
            key = await self._keys.get(key_id)
            if key is None or not key.works(self._clock.now()):
                log.info("streams end with their key", key_id=key_id)
                self._hub.revoke({key_id})
