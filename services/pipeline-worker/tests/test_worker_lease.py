"""The lease: kept while the database answers, given up well before another may have the task."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from worker_world import World

from frameloom.common.documents import TaskState
from frameloom.common.pipelines import Progress
from frameloom.worker.lease import Lease, Stop

LEASE = 0.3


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path, lease_seconds=LEASE)


async def stopped(world: World, task: Any, deadline_seconds: float = 60.0) -> tuple[Stop, float]:
    """Why it stopped, and after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(10):
        why = await Lease(world.claims, task, deadline_seconds).kept()
    return why, loop.time() - began


async def test_a_kept_lease_is_renewed_again_and_again(world: World) -> None:
    task = await world.claimed()
    keeper = asyncio.create_task(Lease(world.claims, task, 60).kept())
    await world.tasks.until(lambda: world.task().rev >= task.rev + 3)
    assert not keeper.done()
    keeper.cancel()
    assert world.task().state is TaskState.RUNNING


async def test_a_cancel_is_heard_at_the_next_renewal(world: World) -> None:
    task = await world.claimed()
    world.tasks.held["t"] = task.model_copy(update={"cancel_requested": True, "rev": task.rev + 1})
    why, seconds = await stopped(world, task)
    assert why is Stop.CANCELLED
    assert seconds < LEASE


@pytest.mark.parametrize(
    "change", [{"epoch": 9}, {"state": TaskState.QUEUED}, {"state": TaskState.CANCELLED}]
)
async def test_a_task_that_is_anothers_now_is_lost(world: World, change: dict[str, Any]) -> None:
    task = await world.claimed()
    world.tasks.held["t"] = task.model_copy(update=change)
    assert (await stopped(world, task))[0] is Stop.LOST


async def test_a_task_that_was_deleted_is_lost(world: World) -> None:
    task = await world.claimed()
    del world.tasks.held["t"]
    assert (await stopped(world, task))[0] is Stop.LOST


async def test_the_deadline_ends_the_work(world: World) -> None:
    task = await world.claimed()
    why, seconds = await stopped(world, task, deadline_seconds=0.15)
    assert why is Stop.DEADLINE
    assert seconds >= 0.15
    assert world.task().state is TaskState.RUNNING, "it is for the holder to tell"


async def test_without_the_database_the_work_stops_before_the_lease_ends(tmp_path: Path) -> None:
    lease = 1.5
    world = World(tmp_path, lease_seconds=lease)
    task = await world.claimed()
    world.tasks.away = True
    why, seconds = await stopped(world, task)
    assert why is Stop.LOST
    assert lease / 2 < seconds < lease


async def test_a_database_that_does_not_answer_counts_as_away(world: World) -> None:
    task = await world.claimed()

    async def silent(_: object) -> None:
        await asyncio.Event().wait()

    world.tasks.apply = silent  # type: ignore[method-assign, assignment]
    assert (await stopped(world, task))[0] is Stop.LOST


async def test_a_short_fault_costs_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=1.5)
    task = await world.claimed()
    keeper = asyncio.create_task(Lease(world.claims, task, 60).kept())
    world.tasks.away = True
    await asyncio.sleep(0.6)  # the first renewal, after 0.5 s, finds nobody
    world.tasks.away = False
    await world.tasks.until(lambda: world.task().rev > task.rev)
    assert not keeper.done()
    keeper.cancel()


async def test_a_renewal_carries_the_progress(world: World) -> None:
    task = await world.claimed()
    lease = Lease(world.claims, task, 60)
    lease.progress = Progress(stage="annotating", fraction=0.5)
    keeper = asyncio.create_task(lease.kept())
    await world.tasks.until(lambda: world.task().rev > task.rev)
    keeper.cancel()
    assert world.task().progress == lease.progress
