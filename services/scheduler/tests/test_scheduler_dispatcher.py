"""Dispatching: bounded, marked before it is published, repaired when a message is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from frameloom.common.adapters.memory import MemoryPublisher, MemoryTaskStore
from frameloom.common.clock import Clock
from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.errors import BrokerUnavailableError
from frameloom.common.events import Event, TaskDispatched


class BrokenPublisher(MemoryPublisher):
    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        raise BrokerUnavailableError("away")


class SignallingPublisher(MemoryPublisher):
    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        await super().publish(event, topic, partition=partition)
        self.told.set()


def jobs_sent(world: Any) -> list[str]:
    return [event.job_id for _, event in world.publisher.sent if isinstance(event, TaskDispatched)]


async def test_the_window_bounds_what_is_out(world: Any) -> None:
    for n in range(6):
        await world.submit_and_plan(f"j{n}")
    await world.worker(slots=2)
    await world.dispatcher.dispatch()
    assert len(jobs_sent(world)) == 4
    await world.dispatcher.dispatch()
    assert len(jobs_sent(world)) == 4


class AskedTasks(MemoryTaskStore):
    """Remembers how much of the queue was asked for."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []

    async def waiting(self, pipeline: str, limit_per_tenant: int) -> list[TaskDocument]:
        self.asked.append(limit_per_tenant)
        return await super().waiting(pipeline, limit_per_tenant)


async def test_no_more_of_the_queue_is_read_than_fits(world: Any) -> None:
    world.tasks = AskedTasks(world.clock)
    for n in range(9):
        await world.submit_and_plan(f"j{n}")
    await world.worker(slots=3)
    await world.dispatcher.dispatch()
    assert world.tasks.asked == [6]
    await world.dispatcher.dispatch()  # the window is full
    assert world.tasks.asked == [6]
    assert len(jobs_sent(world)) == 6


async def test_without_workers_nothing_goes_out(world: Any) -> None:
    await world.submit_and_plan()
    await world.dispatcher.dispatch()
    assert world.publisher.sent == []
    assert world.task().dispatched_at is None


async def test_the_message_names_the_attempt_and_goes_to_the_workers_partition(world: Any) -> None:
    await world.submit_and_plan()
    await world.worker(partitions=3)
    await world.dispatcher.dispatch()
    ((topic, event),) = world.publisher.sent
    assert topic == "x.tasks.a"
    assert (event.task_id, event.attempt) == (world.task().id, 1)
    assert world.publisher.partitions == [3]


async def test_priority_goes_first(world: Any) -> None:
    await world.submit_and_plan("low")
    await world.submit_and_plan("high", priority=5)
    await world.worker(slots=1)
    await world.dispatcher.dispatch()
    assert jobs_sent(world) == ["high", "low"]


async def test_a_task_that_was_cancelled_meanwhile_is_not_sent(world: Any) -> None:
    await world.submit_and_plan()
    await world.worker()
    stale = [world.task()]

    async def waiting(pipeline: str, limit: int) -> Any:
        return stale

    await world.cancel()
    await world.canceller.cancel_if_over("j")
    await world.submit_and_plan("j2")
    world.tasks.waiting = waiting
    await world.dispatcher.dispatch()
    assert world.publisher.sent == []
    assert world.task().state is TaskState.CANCELLED


async def test_a_message_that_did_not_go_out_is_sent_again_later(world: Any) -> None:
    await world.submit_and_plan()
    await world.worker()
    world.publisher = BrokenPublisher()
    with pytest.raises(BrokerUnavailableError):
        await world.dispatcher.dispatch()
    assert world.task().dispatched_at is not None, "marked first, so that it is found to be overdue"
    world.publisher = MemoryPublisher()
    world.clock.advance(4)
    await world.dispatcher.dispatch()
    assert world.publisher.sent == []
    world.clock.advance(1)
    await world.dispatcher.dispatch()
    assert jobs_sent(world) == ["j"]
    assert world.task().dispatches == 2


async def test_a_message_behind_a_busy_worker_is_repeated_to_an_idle_one(world: Any) -> None:
    await world.submit_and_plan("long")
    await world.submit_and_plan("j")
    await world.worker("busy", partitions=1)
    await world.dispatcher.dispatch()
    assert world.publisher.partitions == [1, 1]
    await world.claim("long", worker="busy")
    await world.worker("idle", partitions=2)
    world.clock.advance(5)
    await world.dispatcher.dispatch()
    assert jobs_sent(world)[2:] == ["j"]
    assert world.publisher.partitions[2:] == [2]


async def test_a_wake_dispatches_without_waiting_for_the_clock(world: Any) -> None:
    await world.submit_and_plan()
    await world.worker()
    world.publisher = SignallingPublisher()
    dispatcher = world.dispatcher
    async with dispatcher.running(), asyncio.timeout(5):
        dispatcher.wake()
        await world.publisher.told.wait()
    assert jobs_sent(world) == ["j"]


async def test_a_broker_that_is_away_does_not_end_the_dispatcher(world: Any) -> None:
    await world.submit_and_plan("first")
    await world.worker()
    publisher = SignallingPublisher()
    faults = [BrokerUnavailableError("away")]
    real = publisher.publish

    async def publish(event: Event, topic: str, *, partition: int | None = None) -> None:
        if faults:
            dispatcher.wake()
            raise faults.pop()
        await real(event, topic, partition=partition)

    publisher.publish = publish  # type: ignore[method-assign]
    world.publisher = publisher
    dispatcher = world.dispatcher
    await world.submit_and_plan("second")
    async with dispatcher.running(), asyncio.timeout(5):
        dispatcher.wake()
        await publisher.told.wait()
    assert jobs_sent(world) == ["second"]
