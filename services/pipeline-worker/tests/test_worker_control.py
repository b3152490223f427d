"""Hints: they bring the look at the document forward, and can do nothing else."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from worker_world import DONE, ScriptedSlot, World, chunk, until

from frameloom.common.cas import transact
from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.events import TaskCancelRequested, TaskChanged
from frameloom.worker import control as module

FOR_EVER = 10_000.0
"""A lease whose renewal no test lives to see: what happens, happens by a hint."""


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path, lease_seconds=FOR_EVER)


async def cancel_requested(world: World, task: TaskDocument) -> TaskCancelRequested:
    """Writes the request, as the scheduler does; the hint that it sends then."""
    decide = partial(world.machine.request_cancel, now=world.clock.now())
    return TaskCancelRequested.of(await transact(world.tasks, task.id, decide))


async def at_work(world: World, task: TaskDocument) -> tuple[asyncio.Task[None], ScriptedSlot]:
    """The task running in a child that does not end by itself."""
    slot = ScriptedSlot([chunk(1), asyncio.Event(), DONE])
    running = asyncio.create_task(world.execution.run([task], slot))  # type: ignore[arg-type]
    await until(lambda: bool(world.chunks(task.id)))
    return running, slot


async def ended(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        await running


async def test_a_hint_ends_the_work_long_before_a_renewal(world: World) -> None:
    task = await world.claimed()
    running, slot = await at_work(world, task)
    await world.control.handle(await cancel_requested(world, task))
    await ended(running)
    assert world.task().state is TaskState.CANCELLED
    assert slot.current is None, "the child is gone"


async def test_a_hint_without_a_request_in_the_document_ends_nothing(world: World) -> None:
    task = await world.claimed()
    running, slot = await at_work(world, task)
    await world.control.handle(TaskCancelRequested.of(task))
    await world.tasks.until(lambda: world.task().rev > task.rev)
    await world.control.handle(await cancel_requested(world, task))
    await ended(running)
    assert slot.resets >= 1
    assert world.task().state is TaskState.CANCELLED


@pytest.mark.parametrize("other", [{"task_id": "another"}, {"epoch": 2}])
async def test_a_hint_for_another_claim_is_not_for_us(world: World, other: dict[str, Any]) -> None:
    task = await world.claimed()
    running, _ = await at_work(world, task)
    hint = await cancel_requested(world, task)
    before = world.task()
    await world.control.handle(hint.model_copy(update=other))
    await asyncio.sleep(0)
    assert not running.done()
    assert world.task() == before
    await world.control.handle(hint)
    await ended(running)


async def test_a_hint_that_comes_before_the_work_begins_is_not_lost(world: World) -> None:
    task = await world.claimed()
    await world.control.handle(await cancel_requested(world, task))
    slot = ScriptedSlot([asyncio.Event()])
    await ended(asyncio.create_task(world.execution.run([task], slot)))  # type: ignore[arg-type]
    assert world.task().state is TaskState.CANCELLED


async def test_only_so_many_early_hints_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    for number in range(50):
        await world.control.handle(TaskCancelRequested(job_id="j", task_id=f"t{number}", epoch=1))
    assert len(world.control._early) == 3


async def test_after_the_end_a_hint_finds_nobody(world: World) -> None:
    task = await world.claimed()
    running, _ = await at_work(world, task)
    hint = await cancel_requested(world, task)
    await world.control.handle(hint)
    await ended(running)
    after = world.task()
    await world.control.handle(hint)
    assert world.task() == after
    assert world.control._leases == {}


async def test_other_events_are_none_of_ours(world: World) -> None:
    task = await world.claimed()
    running, _ = await at_work(world, task)
    await cancel_requested(world, task)
    await world.control.handle(TaskChanged.of(task))
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.wait({running})
