"""A worker's intake: a consumer that takes only what there is room for, and commits record by record.

FastStream would run the work inside its poll loop; work here lasts longer than any poll interval. So this
is a small loop over aiokafka: it keeps polling while everything is paused, pauses again after every
assignment (aiokafka forgets pauses then), and commits one partition's explicit next offset at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from frameloom.common.background import cancelled
from frameloom.common.settings import KafkaSettings

Assignment = dict[str, tuple[int, ...]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One message, not decoded, and where it stood."""

    topic: str
    partition: int
    offset: int
    body: bytes | None
    headers: dict[str, str]


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """The consumer behind a worker's slots."""

    def __init__(
        self, consumer: AIOKafkaConsumer, room: Callable[[], int], assigned: Callable[[Assignment], None]
    ) -> None:
        self._consumer = consumer
        self._room = room
        self._assigned = assigned
        self._changed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        settings: KafkaSettings,
        topics: Sequence[str],
        *,
        group: str,
        room: Callable[[], int],
        assigned: Callable[[Assignment], None] = lambda _: None,
    ) -> AsyncIterator[Self]:
        """A joined member of the group; leaves it at the end.

        Args:
            settings: Where the broker is.
            topics: What to read.
            group: Consumer group, without the prefix.
            room: Tells how many more records there is room for now.
            assigned: Called after each assignment, with the partitions of each topic.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            group_id=f"{settings.topic_prefix}.{group}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_seconds * 1000 / 3),
            max_poll_interval_ms=int(settings.max_poll_interval_seconds * 1000),
            fetch_max_wait_ms=settings.fetch_max_wait_ms,
        )
        intake = cls(consumer, room, assigned)
        consumer.subscribe(list(topics), listener=intake)
        await consumer.start()
        try:
            yield intake
        finally:
            await consumer.stop()

    def room_changed(self) -> None:
        """Says that there is more room, or none, since the last poll."""
        self._changed.set()

    async def poll(self, timeout_seconds: float) -> list[Record]:
        """The next records, at most as many as there is room for; [] when nothing came in time."""
        self._changed.clear()
        self._pause_or_resume()
        poll = asyncio.ensure_future(
            self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max(1, self._room()))
        )
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({poll, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(poll, changed)
        if poll.cancelled():
            # Nothing was taken out while it waited, so giving up the poll loses nothing.
            return []
        return [_record(raw) for batch in poll.result().values() for raw in batch]

    async def commit(self, record: Record) -> None:
        """Commits everything of the record's partition up to and with this record."""
        partition = TopicPartition(record.topic, record.partition)
        try:
            await self._consumer.commit({partition: record.offset + 1})
        except (CommitFailedError, IllegalStateError) as error:
            # Normal after a rebalance: the new owner finds the task claimed and drops the message.
            log.info("commit came too late", topic=record.topic, reason=str(error))
        except KafkaError as error:
            log.warning("commit failed", topic=record.topic, reason=repr(error))

    def _assignment(self) -> Assignment:
        found: dict[str, list[int]] = {}
        for item in self._consumer.assignment():
            found.setdefault(item.topic, []).append(item.partition)
        return {topic: tuple(sorted(numbers)) for topic, numbers in found.items()}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing to do: what was claimed is ours by the database, not by the assignment."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A new assignment begins un-paused."""
        self._pause_or_resume()
        self._assigned(self._assignment())
        log.info("partitions assigned", count=len(list(assigned)))

    def _pause_or_resume(self) -> None:
        partitions = self._consumer.assignment()
        paused = self._consumer.paused()
        if self._room() > 0:
            if paused:
                self._consumer.resume(*paused)
        elif partitions - paused:
            self._consumer.pause(*partitions)


def _record(raw: object) -> Record:
    headers = {name: value.decode(errors="replace") for name, value in raw.headers}  # type: ignore[attr-defined]
    return Record(raw.topic, raw.partition, raw.offset, raw.value, headers)  # type: ignore[attr-defined]
