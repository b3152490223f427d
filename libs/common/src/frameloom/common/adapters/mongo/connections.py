"""Counts the driver's open connections: it tells of each as it comes and goes; one can not ask."""

from __future__ import annotations

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)


class Connections(ConnectionPoolListener):
    """To be given to one client.

    Attributes:
        open: How many there are now.
    """

    def __init__(self) -> None:
        self.open = 0

    def connection_created(self, event: ConnectionCreatedEvent) -> None:  # noqa: ARG002 - the driver's signature
        """One more."""
        self.open += 1

    def connection_closed(self, event: ConnectionClosedEvent) -> None:  # noqa: ARG002
        """One less."""
        self.open -= 1

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Not of interest, as all that follow."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """See above."""

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """See above."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """See above."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """See above."""

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """See above."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """See above."""

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """See above."""

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """See above."""
