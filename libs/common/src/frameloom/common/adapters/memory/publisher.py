"""A publisher that keeps what it was given."""

from __future__ import annotations

from frameloom.common.events import Encoded, Event, decode


class MemoryPublisher:
    """Keeps (topic, event) pairs in order; each event goes through its wire form once.

    Attributes:
        sent: What was published.
        partitions: The partition asked for, in the same order.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, Event]] = []
        self.partitions: list[int | None] = []

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        """Keeps one event."""
        encoded = Encoded.of(event, "memory")
        self.sent.append((topic, decode(encoded.body, encoded.headers)))
        self.partitions.append(partition)

    def on(self, topic: str) -> list[Event]:
        """The events of one topic."""
        return [event for name, event in self.sent if name == topic]
