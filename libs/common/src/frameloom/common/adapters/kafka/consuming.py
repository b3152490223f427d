"""How a message is handled: decoded, tried while a dependency is away, put away when it is poison.

FastStream polls and calls; the offset is committed by us, after the handler has done its work.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import CommitFailedError, IllegalStateError
from faststream.kafka import KafkaMessage

from frameloom.common.errors import FrameloomError, PoisonMessageError, TransientError
from frameloom.common.events import DeadLetter, Event, decode

Handler = Callable[[Event], Awaitable[None]]
log = structlog.get_logger(__name__)


class Publish(Protocol):
    """Sends an event to a topic."""

    async def __call__(self, event: Event, topic: str, /) -> None:
        """Sends one event and waits until the broker has it."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """When to stop instead of putting away everything: a bad deployment must not empty a topic.

    Attributes:
        ratio: Largest share of poison among the last ``window`` messages.
        window: How many messages the ratio looks back on; below that many nothing is judged.
    """

    ratio: float = 0.5
    window: int = 20


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a service consumes.

    Attributes:
        name: Of the consumer, for logs, dead letters and AsyncAPI.
        topics: What to read.
        handler: Called with each event, one at a time. Its :class:`TransientError` means try again; any
            other exception puts the message away.
        group: Consumer group: its members share the work, from the oldest message on. None: every
            process reads everything from now on, and nothing is committed.
        patience_seconds: How long a passing fault is waited out before the service gives up.
        limit: When to stop for too much poison.
        hints: Nobody depends on these messages: one that can not be read or handled is only logged, and the
            consumer never gives up.
    """

    name: str
    topics: tuple[str, ...]
    handler: Handler
    group: str | None = None
    patience_seconds: float = 60.0
    limit: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    hints: bool = False


class ConsumerStoppedError(FrameloomError):
    """A consumer has given up; the process ends and what was not committed is read again."""

    code = "CONSUMER_STOPPED"


class PoisonGauge:
    """Judges how much poison a consumer has met lately."""

    def __init__(self, consumer: str, limit: DeadLetterLimit) -> None:
        self._consumer = consumer
        self._limit = limit
        self._seen: deque[bool] = deque(maxlen=limit.window)

    def add(self, *, poison: bool) -> None:
        """Counts one message.

        Raises:
            ConsumerStoppedError: It was one too many.
        """
        self._seen.append(poison)
        bad = sum(self._seen)
        if poison and len(self._seen) == self._limit.window and bad > self._limit.ratio * self._limit.window:
            raise ConsumerStoppedError(
                f"{bad} of the last {self._limit.window} messages of {self._consumer} could not be handled",
                hint="Read the dead-letter topic: is a producer of another version running?",
            )


class Guarded:
    """Runs one consumption's handler over its messages.

    Attributes:
        failure: Why it has given up, if it has. From then on nothing is handled nor committed.
    """

    def __init__(self, consumption: Consumption, publish: Publish, dead_letters: str) -> None:
        self._consumption = consumption
        self._publish = publish
        self._dead_letters = dead_letters
        self._gauge = PoisonGauge(consumption.name, consumption.limit)
        self.failure: BaseException | None = None

    async def handle(self, message: KafkaMessage) -> None:
        """Handles one message and commits it."""
        if self.failure is not None:
            return
        record = message.raw_message
        assert isinstance(record, ConsumerRecord)
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        if self._consumption.hints:
            await self._hint(record.value, headers)
            return
        try:
            await self._try(record.value, headers)
        except TransientError as error:
            self._give_up(error)
            return
        except Exception as error:  # noqa: BLE001 - whatever a message does, it must not stop the others
            await self._put_away(record, headers, error)
            if self.failure is not None:
                return
        else:
            self._gauge.add(poison=False)
        if self._consumption.group is not None:
            await _commit(message)

    async def _hint(self, body: bytes | None, headers: dict[str, str]) -> None:
        """Takes what many processes read and none needs: no dead letter from each, and no second try."""
        try:
            await self._consumption.handler(decode(body, headers))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the next one
            log.warning("hint passed over", consumer=self._consumption.name, reason=str(error))

    async def _try(self, body: bytes | None, headers: dict[str, str]) -> None:
        event = decode(body, headers)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._consumption.patience_seconds
        delay = 0.1
        while True:
            try:
                return await self._consumption.handler(event)
            except TransientError as error:
                if loop.time() > deadline:
                    raise
                log.warning("trying again", consumer=self._consumption.name, reason=str(error), delay=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _put_away(self, record: ConsumerRecord, headers: dict[str, str], error: Exception) -> None:
        expected = isinstance(error, PoisonMessageError)
        log.error(
            "dead letter",
            consumer=self._consumption.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=str(error),
            exc_info=None if expected else error,
        )
        letter = DeadLetter.of(
            consumer=self._consumption.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=f"{type(error).__name__}: {error}",
            headers=headers,
            body=record.value,
        )
        try:
            await self._publish(letter, self._dead_letters)
        except TransientError as failure:
            self._give_up(failure)
            return
        try:
            self._gauge.add(poison=True)
        except ConsumerStoppedError as enough:
            self._give_up(enough)

    def _give_up(self, error: BaseException) -> None:
        log.error("consumer stops", consumer=self._consumption.name, reason=str(error))
        self.failure = error


async def _commit(message: KafkaMessage) -> None:
    try:
        await message.ack()
    except (CommitFailedError, IllegalStateError) as error:
        # Normal after a rebalance: the partition is another's now, who will read the message again.
        log.info("commit came too late", reason=str(error))
