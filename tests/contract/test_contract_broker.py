"""The broker: publishing, guarded consumers and a worker's intake, on the embedded broker and on Kafka."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from frameloom.common.adapters.kafka import Consumption, DeadLetterLimit, Intake, Kafka, Record
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.events import (
    DeadLetter,
    Event,
    JobEventMessage,
    TaskCancelRequested,
    TaskDispatched,
    decode,
)
from frameloom.common.settings import KafkaSettings
from frameloom.common.topics import Topic
from support.grounds import Ground

WAIT = 40.0


def settings_of(environment: Mapping[str, str], **changes: object) -> KafkaSettings:
    values = {
        "bootstrap_servers": environment["FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS"],
        "idempotent_producer": environment["FRAMELOOM_KAFKA_IDEMPOTENT_PRODUCER"],
        "session_timeout_seconds": environment["FRAMELOOM_KAFKA_SESSION_TIMEOUT_SECONDS"],
        "fetch_max_wait_ms": environment.get("FRAMELOOM_KAFKA_FETCH_MAX_WAIT_MS", "100"),
        "topic_prefix": f"b{uuid.uuid4().hex[:8]}",
        "partitions": 4,
        **changes,
    }
    return KafkaSettings.model_validate(values)


@pytest.fixture
def settings(ground: Ground) -> KafkaSettings:
    return settings_of(ground.environment)


def job_event(job: str, seq: int) -> JobEventMessage:
    return JobEventMessage(job_id=job, tenant="t", seq=seq, type="job.started", status="running")


def dispatched(number: int) -> TaskDispatched:
    return TaskDispatched(task_id=f"t{number}", job_id="j", pipeline="p", attempt=1)


def hint(task: str) -> TaskCancelRequested:
    return TaskCancelRequested(job_id="j", task_id=task, epoch=1)


class Collector:
    """A handler that keeps what it got, and can be told to fail."""

    def __init__(self, wanted: int) -> None:
        self.seen: list[Event] = []
        self.enough = asyncio.Event()
        self._wanted = wanted
        self.faults: list[Exception] = []

    async def __call__(self, event: Event) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.seen.append(event)
        if len(self.seen) >= self._wanted:
            self.enough.set()

    async def full(self) -> list[Event]:
        async with asyncio.timeout(WAIT):
            await self.enough.wait()
        return self.seen


async def test_events_of_one_key_arrive_in_order(settings: KafkaSettings) -> None:
    collector = Collector(60)
    kafka = Kafka(settings, "tests")
    kafka.consume(Consumption("c", (kafka.topics.events,), collector, group="g"))
    async with kafka.running():
        for seq in range(20):
            await asyncio.gather(
                *(kafka.publish(job_event(f"j{n}", seq), kafka.topics.events) for n in range(3))
            )
        seen = await collector.full()
    for n in range(3):
        mine = [e.seq for e in seen if isinstance(e, JobEventMessage) and e.job_id == f"j{n}"]
        assert mine == list(range(20))


async def test_a_group_goes_on_where_it_committed(settings: KafkaSettings) -> None:
    for expected in (("j1", "j2"), ("j3",)):
        collector = Collector(len(expected))
        kafka = Kafka(settings, "tests")
        kafka.consume(Consumption("c", (kafka.topics.events,), collector, group="g"))
        async with kafka.running():
            for job in expected:
                await kafka.publish(job_event(job, 1), kafka.topics.events)
            seen = await collector.full()
        assert sorted(e.subject for e in seen) == list(expected)


async def test_poison_is_put_away_and_the_rest_goes_on(settings: KafkaSettings) -> None:
    collector, letters = Collector(1), Collector(2)
    kafka = Kafka(settings, "tests")
    kafka.consume(Consumption("c", (kafka.topics.events,), collector, group="g"))
    kafka.consume(Consumption("d", (kafka.topics.dead_letters,), letters, group="dead"))
    async with kafka.running():
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await producer.start()
        await producer.send_and_wait(kafka.topics.events, b"\xff\xfe not json", key=b"j", partition=1)
        newer = [("ce_type", b"frameloom.job-event.v99")]
        await producer.send_and_wait(kafka.topics.events, b"{}", key=b"j", partition=1, headers=newer)
        await producer.stop()
        await kafka.publish(job_event("j", 1), kafka.topics.events, partition=1)
        seen = await collector.full()
        put_away = await letters.full()
    assert [e.subject for e in seen] == ["j"]
    # Each letter has a key of its own, so the two may lie in different partitions: their order tells nothing.
    found = [letter for letter in put_away if isinstance(letter, DeadLetter)]
    first, second = sorted(found, key=lambda letter: letter.offset)
    assert (first.topic, first.partition, first.consumer) == (kafka.topics.events, 1, "c")
    assert "Unknown event type None" in first.reason
    assert "v99" in second.reason
    assert second.offset == first.offset + 1


async def test_a_passing_fault_is_waited_out(settings: KafkaSettings) -> None:
    collector = Collector(1)
    collector.faults = [DatabaseUnavailableError("away"), DatabaseUnavailableError("still away")]
    kafka = Kafka(settings, "tests")
    kafka.consume(Consumption("c", (kafka.topics.events,), collector, group="g"))
    async with kafka.running():
        await kafka.publish(job_event("j", 1), kafka.topics.events)
        assert len(await collector.full()) == 1
        assert kafka.failed is None


async def test_a_lasting_fault_stops_the_consumer_and_nothing_is_lost(settings: KafkaSettings) -> None:
    broken = Collector(1)
    broken.faults = [DatabaseUnavailableError("away")] * 1000
    kafka = Kafka(settings, "tests")
    kafka.consume(Consumption("c", (kafka.topics.events,), broken, group="g", patience_seconds=0.2))
    async with kafka.running():
        await kafka.publish(job_event("j1", 1), kafka.topics.events, partition=0)
        await kafka.publish(job_event("j2", 1), kafka.topics.events, partition=0)
        async with asyncio.timeout(WAIT):
            while kafka.failed is None:
                await asyncio.sleep(0.02)
    healed = Collector(2)
    kafka = Kafka(settings, "tests")
    kafka.consume(Consumption("c", (kafka.topics.events,), healed, group="g"))
    async with kafka.running():
        assert [e.subject for e in await healed.full()] == ["j1", "j2"]


async def test_too_much_poison_stops_the_consumer(settings: KafkaSettings) -> None:
    kafka = Kafka(settings, "tests")
    limit = DeadLetterLimit(ratio=0.5, window=4)
    kafka.consume(Consumption("c", (kafka.topics.events,), Collector(1), group="g", limit=limit))
    async with kafka.running():
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await producer.start()
        for _ in range(6):
            await producer.send_and_wait(kafka.topics.events, b"?", partition=0)
        await producer.stop()
        async with asyncio.timeout(WAIT):
            while kafka.failed is None:
                await asyncio.sleep(0.02)
    assert "could not be handled" in str(kafka.failed)


async def test_hints_that_can_not_be_read_or_handled_are_passed_over(settings: KafkaSettings) -> None:
    """However many: no dead letter from each of many readers, and nobody stops."""
    hints, letters = Collector(1), Collector(1)
    kafka = Kafka(settings, "tests")
    limit = DeadLetterLimit(ratio=0.1, window=2)
    kafka.consume(Consumption("c", (kafka.topics.control,), hints, group=None, hints=True, limit=limit))
    kafka.consume(Consumption("letters", (kafka.topics.dead_letters,), letters, group="l"))
    async with kafka.running():
        async with asyncio.timeout(WAIT):
            while not hints.seen:  # it reads from now on, and nothing tells when that begins
                await kafka.publish(hint("first"), kafka.topics.control)
                await asyncio.sleep(0.05)
        hints.faults = [ValueError("not this one"), DatabaseUnavailableError("away")]
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await producer.start()
        for _ in range(6):
            await producer.send_and_wait(kafka.topics.control, b"?")
        await producer.stop()
        for task in ("refused", "refused too", "last"):
            await kafka.publish(hint(task), kafka.topics.control)
        async with asyncio.timeout(WAIT):
            while hints.seen[-1].subject != "last":
                await asyncio.sleep(0.02)
        assert {event.subject for event in hints.seen} == {"first", "last"}
        assert kafka.failed is None
        await kafka.publish(
            job_event("j", 1), kafka.topics.dead_letters
        )  # the first there, if none came before
        assert [event.subject for event in await letters.full()] == ["j"]


async def test_the_topic_of_hints_has_one_partition(settings: KafkaSettings) -> None:
    kafka = Kafka(settings, "tests")
    async with kafka.running():
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
        await admin.start()
        found = await admin.describe_topics([kafka.topics.control, kafka.topics.events])
        await admin.close()
    assert {topic["topic"]: len(topic["partitions"]) for topic in found} == {
        kafka.topics.control: 1,
        kafka.topics.events: 4,
    }


async def taken(intake: Intake, count: int) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(WAIT):
        while len(found) < count:
            found += await intake.poll(0.5)
    return found


async def test_intake_takes_only_what_there_is_room_for(settings: KafkaSettings) -> None:
    kafka = Kafka(settings, "tests")
    topic = Topic(kafka.topics.tasks("p"), 1)
    room = 1
    async with kafka.running([topic]):
        for n in range(3):
            await kafka.publish(dispatched(n), topic.name)
        async with Intake.opened(settings, [topic.name], group="workers", room=lambda: room) as intake:
            first = await taken(intake, 1)
            assert len(first) == 1
            room = 0
            assert await intake.poll(0.6) == []
            waiting = asyncio.create_task(intake.poll(WAIT))
            await asyncio.sleep(0)
            room = 2
            intake.room_changed()
            assert await waiting == []
            rest = await taken(intake, 2)
        subjects = {decode(record.body, record.headers).subject for record in [*first, *rest]}
        assert subjects == {"t0", "t1", "t2"}


async def test_only_what_was_committed_is_done(settings: KafkaSettings) -> None:
    """An explicit commit of one record says nothing of the others of its partition."""
    kafka = Kafka(settings, "tests")
    topic = Topic(kafka.topics.tasks("p"), 1)
    async with kafka.running([topic]):
        for n in range(3):
            await kafka.publish(dispatched(n), topic.name, partition=2)
        async with Intake.opened(settings, [topic.name], group="workers", room=lambda: 3) as intake:
            records = await taken(intake, 3)
            await intake.commit(records[0])
        async with Intake.opened(settings, [topic.name], group="workers", room=lambda: 3) as intake:
            again = await taken(intake, 2)
    assert [record.offset for record in again] == [records[1].offset, records[2].offset]


async def test_a_full_member_keeps_its_place_while_others_come_and_go(settings: KafkaSettings) -> None:
    """Longer than the poll interval with every slot taken: the member stays, and stays paused."""
    impatient = settings.model_copy(update={"max_poll_interval_seconds": 2.0})
    kafka = Kafka(impatient, "tests")
    topic = Topic(kafka.topics.tasks("p"), 1)
    assignments: list[dict[str, tuple[int, ...]]] = []
    async with (
        kafka.running([topic]),
        Intake.opened(
            impatient, [topic.name], group="workers", room=lambda: 0, assigned=assignments.append
        ) as full,
    ):
        assert len(assignments[-1][topic.name]) == 4

        async def stay(seconds: float) -> None:
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                assert await full.poll(0.2) == []

        await kafka.publish(dispatched(1), topic.name)
        await stay(3.0)
        async with Intake.opened(impatient, [topic.name], group="workers", room=lambda: 0):
            async with asyncio.timeout(WAIT):
                while len(assignments[-1].get(topic.name, ())) != 2:
                    await stay(0.2)
        async with asyncio.timeout(WAIT):
            while len(assignments[-1].get(topic.name, ())) != 4:
                await stay(0.2)
