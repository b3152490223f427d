"""What the services need of the message broker, besides the consumers that FastStream carries."""

from __future__ import annotations

from typing import Protocol

from frameloom.common.events import Event


class Publisher(Protocol):
    """Sends events."""

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        """Sends one event and waits until the broker has it.

        Raises:
            BrokerUnavailableError: The broker did not take it in time.
        """
        ...
