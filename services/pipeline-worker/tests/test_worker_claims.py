"""What a worker may write about a task, and what it may not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from worker_world import World

from frameloom.common.documents import Failure, FailureCategory, Outcome, TaskState
from frameloom.common.errors import BrokerUnavailableError, DatabaseUnavailableError
from frameloom.common.events import Event, TaskChanged, TaskDispatched
from frameloom.worker import claims as claims_module

CRASH = Failure(category=FailureCategory.WORKER_CRASH, message="gone")


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_claim_takes_the_task_and_wakes_the_scheduler(world: World) -> None:
    task = await world.claimed()
    assert (task.state, task.epoch, task.owner) == (TaskState.RUNNING, 1, "me")
    (told,) = world.publisher.on("wake")
    assert isinstance(told, TaskChanged)
    assert (told.task_id, told.state) == ("t", "running")


async def test_of_many_workers_one_gets_the_task(world: World) -> None:
    message = world.queued()
    answers = await asyncio.gather(*(world.claims_of(f"w{n}").claim(message) for n in range(8)))
    assert sum(answer is not None for answer in answers) == 1
    assert world.task().epoch == 1


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 2},
        {"cancel_requested": True},
        {"state": TaskState.COMPLETED},
        {"state": TaskState.CANCELLED},
    ],
)
async def test_stale_messages_are_dropped(world: World, change: dict[str, object]) -> None:
    message = world.queued()
    world.tasks.held["t"] = before = world.task().model_copy(update=change)
    assert await world.claims.claim(message) is None
    assert world.task() == before
    assert world.publisher.sent == []


async def test_messages_of_unknown_tasks_are_dropped(world: World) -> None:
    message = TaskDispatched(task_id="nobody", job_id="j", pipeline="a", attempt=1)
    assert await world.claims.claim(message) is None


async def test_a_task_is_not_claimed_before_its_backoff_is_over(world: World) -> None:
    message = world.queued()
    later = world.clock.now()
    world.tasks.held["t"] = world.task().model_copy(update={"next_eligible_at": later})
    assert await world.claims.claim(message) is None
    world.clock.advance(1)
    assert await world.claims.claim(message) is not None


async def test_a_stale_holder_can_write_nothing(world: World) -> None:
    stale = await world.claimed()
    await world.claims.release(stale)
    current = await world.claims_of("other").claim(
        TaskDispatched(task_id="t", job_id="j", pipeline="a", attempt=1)
    )
    assert current is not None
    assert await world.claims.renew(stale, None) is None
    assert await world.claims.finish(stale) is None
    assert await world.claims.fail(stale, CRASH) is None
    assert await world.claims.cancel(stale) is None
    assert await world.claims.release(stale) is None
    assert world.task() == current


async def test_giving_back_burns_no_attempt(world: World) -> None:
    task = await world.claimed()
    after = await world.claims.release(task)
    assert after is not None
    assert (after.state, after.attempt, after.attempts[0].outcome) == (TaskState.QUEUED, 1, Outcome.RELEASED)


async def test_renewals_are_not_told(world: World) -> None:
    task = await world.claimed()
    world.publisher.sent.clear()
    assert await world.claims.renew(task, None) is not None
    assert world.publisher.sent == []


async def test_a_broker_that_refuses_does_not_undo_a_claim(world: World) -> None:
    async def away(_: Event) -> None:
        raise BrokerUnavailableError("away")

    world.publisher.hook = away
    assert (await world.claimed()).state is TaskState.RUNNING


async def test_a_broker_that_hangs_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is running: a claim that waits for a wake-up would come too late to be kept."""

    async def silent(_: Event) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(claims_module, "_TELL_SECONDS", 0.01)
    world.publisher.hook = silent
    async with asyncio.timeout(5):
        task = await world.claimed()
        assert await world.claims.finish(task) is not None


async def test_a_database_that_is_away_is_told(world: World) -> None:
    message = world.queued()
    world.tasks.away = True
    with pytest.raises(DatabaseUnavailableError):
        await world.claims.claim(message)
