"""Who is connected to the live feed, and why somebody has to go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from frameloom.gateway.services.channel import Channel, News


class End(StrEnum):
    """Why a stream ends though its client did nothing."""

    SHUTDOWN = "shutdown"
    REVOKED = "revoked"


class Presence:
    """A client that is connected.

    Attributes:
        key_id: The key that it came with, if any.
        end: Set when it is to go.
        subscriptions: How many it holds, of a connection that may hold several.
    """

    def __init__(self, key_id: str | None) -> None:
        self.key_id = key_id
        self.end: End | None = None
        self.subscriptions = 0
        self._ended = asyncio.Event()

    async def ended(self) -> End:
        """Waits until it is to go."""
        await self._ended.wait()
        assert self.end is not None
        return self.end

    def close(self, why: End) -> None:
        """Tells it to go."""
        self.end = self.end or why
        self._ended.set()


class Subscription(Presence):
    """One client at a channel; it goes once it has read what waits for it."""

    def __init__(self, channel: Channel, key_id: str | None) -> None:
        super().__init__(key_id)
        self._channel = channel
        self._cursor = channel.join()

    async def next(self) -> News | None:
        """What is new, as soon as something is; None at the end."""
        while (news := self._channel.read(self._cursor)) is None:
            if self.end is not None:
                return None
            await self._channel.changed()
        return news

    def leave(self) -> None:
        """The client has gone."""
        self._channel.leave(self._cursor)

    def close(self, why: End) -> None:
        """Ends the stream."""
        super().close(why)
        self._channel.wake()


@contextmanager
def within_connection(connection: Presence | None) -> Iterator[None]:
    """Counts a subscription at the connection that carries it."""
    if connection is None:
        yield
        return
    connection.subscriptions += 1
    try:
        yield
    finally:
        connection.subscriptions -= 1
