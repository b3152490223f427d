"""The connection to the broker: topics, publishing, and the consumers that FastStream carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from faststream import AckPolicy
from faststream.exceptions import IncorrectState
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from frameloom.common.adapters.kafka.consuming import Consumption, Guarded
from frameloom.common.errors import BrokerUnavailableError
from frameloom.common.events import Encoded, Event
from frameloom.common.settings import KafkaSettings
from frameloom.common.topics import Topic, Topics

_TOPIC_EXISTS = 36
_NO_ERROR = 0
_HOUR_MS = 3_600_000
log = structlog.get_logger(__name__)


class Kafka:
    """A broker, seen from one service.

    Register what to consume with :meth:`consume`, then enter :meth:`running`.

    Attributes:
        topics: The names of the topics.
        failed: Set to the exception when a consumer has given up; the service must end then.
    """

    def __init__(self, settings: KafkaSettings, source: str) -> None:
        self.topics = Topics(settings.topic_prefix)
        self._settings = settings
        self._source = source
        self._broker = KafkaBroker(
            settings.bootstrap_servers,
            client_id=f"frameloom-{source}",
            acks="all",
            enable_idempotence=settings.idempotent_producer,
            allow_auto_create_topics=False,
            compression_type="gzip",
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=settings.session_timeout_seconds,
            logger=None,
            apply_types=True,
        )
        self._guards: list[Guarded] = []

    @property
    def failed(self) -> BaseException | None:
        """Why a consumer has given up, if one has."""
        return next((g.failure for g in self._guards if g.failure is not None), None)

    @property
    def broker(self) -> KafkaBroker:
        """FastStream's broker: the source of the AsyncAPI document."""
        return self._broker

    def consume(self, consumption: Consumption) -> None:
        """Registers a consumer. Call before :meth:`running`."""
        guard = Guarded(consumption, self.publish, self.topics.dead_letters)
        self._guards.append(guard)

        async def handle(message: KafkaMessage) -> None:
            await guard.handle(message)

        grouped = consumption.group is not None
        self._broker.subscriber(
            *consumption.topics,
            group_id=f"{self._settings.topic_prefix}.{consumption.group}" if grouped else None,
            auto_offset_reset="earliest" if grouped else "latest",
            ack_policy=AckPolicy.MANUAL,
            decoder=_as_bytes,
            fetch_max_wait_ms=self._settings.fetch_max_wait_ms,
            session_timeout_ms=int(self._settings.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(self._settings.session_timeout_seconds * 1000 / 3),
            max_poll_interval_ms=int(self._settings.max_poll_interval_seconds * 1000),
            title=consumption.name,
            no_reply=True,
        )(handle)

    @asynccontextmanager
    async def running(self, extra_topics: Iterable[Topic] = ()) -> AsyncIterator[None]:
        """Connected, with the topics in place and the consumers at work; stopped in order at the end.

        Raises:
            BrokerUnavailableError: No answer within ``connect_timeout_seconds``.
        """
        await self.ensure_topics([*self.topics.standing(), *extra_topics])
        await self._broker.start()
        try:
            yield
        finally:
            await self._broker.stop()

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        """Sends one event and waits until the broker has it."""
        encoded = Encoded.of(event, self._source)
        send = partial(self._broker.publish, encoded.body, topic, key=encoded.key, headers=encoded.headers)
        try:
            try:
                await send(partition=partition)
            except AssertionError:
                if partition is None:
                    raise
                # The client's knowledge of the topic is older than the partition: aiokafka asserts then.
                await send()
        except (KafkaError, IncorrectState) as error:  # the latter: not connected yet, or not any more
            raise BrokerUnavailableError(f"The broker did not take an event: {error!r}") from error

    async def ensure_topics(self, topics: Iterable[Topic]) -> None:
        """Creates the topics that are missing, unless the settings leave that to the operator."""
        admin = await self._admin()
        try:
            if self._settings.create_topics:
                await self._create(admin, topics)
        finally:
            await admin.close()

    async def _create(self, admin: AIOKafkaAdminClient, topics: Iterable[Topic]) -> None:
        present = set(await admin.list_topics())
        wanted = [
            NewTopic(
                topic.name,
                topic.partitions or self._settings.partitions,
                self._settings.replication_factor,
                topic_configs={"retention.ms": str(topic.retention_hours * _HOUR_MS)},
            )
            for topic in topics
            if topic.name not in present
        ]
        if not wanted:
            return
        answer = await admin.create_topics(wanted)
        for name, code, *_ in answer.topic_errors:
            if code not in {_NO_ERROR, _TOPIC_EXISTS}:
                raise BrokerUnavailableError(f"Could not create topic {name}: {for_code(code).__name__}")

    async def _admin(self) -> AIOKafkaAdminClient:
        """A connected admin client; waits for a broker that is still starting."""
        deadline = asyncio.get_running_loop().time() + self._settings.connect_timeout_seconds
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.bootstrap_servers)
            try:
                await admin.start()
            except KafkaConnectionError as error:
                await admin.close()
                if asyncio.get_running_loop().time() > deadline:
                    raise BrokerUnavailableError(
                        f"The broker at {self._settings.bootstrap_servers} does not answer",
                        hint="Check FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS and that the broker runs.",
                    ) from error
                await asyncio.sleep(0.1)
            else:
                return admin


async def _as_bytes(message: KafkaMessage) -> bytes:
    """Leaves the body alone: our guard decodes it, and puts away what it can not read."""
    return message.body
