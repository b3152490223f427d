"""The broker's adapters where no broker is needed: not connected, and answers that cross with a cancel."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace
from typing import Any

import pytest

from frameloom.common.adapters.kafka import Intake, Kafka
from frameloom.common.errors import BrokerUnavailableError
from frameloom.common.events import DeadLetter, Encoded, TaskDispatched
from frameloom.common.settings import KafkaSettings

EVENT = TaskDispatched(task_id="t", job_id="j", pipeline="p", attempt=1)


async def test_publishing_on_a_closed_connection_is_a_passing_fault() -> None:
    """A relay that flushes while the service ends must find an error it knows."""
    kafka = Kafka(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "tests")
    with pytest.raises(BrokerUnavailableError):
        await kafka.publish(EVENT, "t")


class ScriptedConsumer:
    """A consumer whose records arrive at the moment in which it is told to stop waiting."""

    def __init__(self, records: list[Any]) -> None:
        self._records = records
        self.limits: list[int] = []

    def assignment(self) -> frozenset[Any]:
        return frozenset()

    def paused(self) -> frozenset[Any]:
        return frozenset()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[str, list[Any]]:
        self.limits.append(max_records)
        try:
            await asyncio.sleep(timeout_ms / 1000)
        except asyncio.CancelledError:
            return {"partition": self._records}
        return {}


async def test_records_that_cross_with_a_change_of_room_are_not_lost() -> None:
    raw = SimpleNamespace(topic="t", partition=0, offset=7, value=b"x", headers=())
    intake = Intake(ScriptedConsumer([raw]), room=lambda: 1, assigned=lambda _: None)
    polling = asyncio.create_task(intake.poll(30))
    await asyncio.sleep(0)
    intake.room_changed()
    async with asyncio.timeout(5):
        (record,) = await polling
    assert record.offset == 7


async def test_a_poll_asks_for_no_more_than_there_is_room_for() -> None:
    consumer = ScriptedConsumer([])
    intake = Intake(consumer, room=lambda: 3, assigned=lambda _: None)
    assert await intake.poll(0.001) == []
    assert consumer.limits == [3]


def letter(body: bytes | None) -> DeadLetter:
    return DeadLetter.of(
        consumer="c", topic="t", partition=1, offset=2, reason="r", headers={"a": "b"}, body=body
    )


def test_a_dead_letter_keeps_the_message() -> None:
    assert base64.b64decode(letter(b"\x00\xff").body_base64) == b"\x00\xff"
    assert letter(None).body_base64 == ""


def test_a_dead_letter_of_the_largest_message_still_fits_the_broker() -> None:
    """Else one message that can not be read would stop its consumer for ever."""
    body = b"x" * 1024 * 1024
    found = letter(body)
    assert len(Encoded.of(found, "tests").body) < 1024 * 1024
    assert found.body_bytes == len(body)
