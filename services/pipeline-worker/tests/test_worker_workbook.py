"""What a worker tells of its slots: live while a task runs, and counted by how it ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from worker_world import DONE, ScriptedSlot, World, failed, until

from frameloom.common.documents import FailureCategory, Outcome
from frameloom.common.documents.facts import GpuFacts, ModelFacts, SlotState
from frameloom.common.host import Usage
from frameloom.worker.child.process import ChildDiedError
from frameloom.worker.child.protocol import Warm
from frameloom.worker.slots import Slot
from frameloom.worker.workbook import Sample, WorkBook

YUNET = ModelFacts(name="yunet", sha256="8f")
GPU = GpuFacts(index=0, uuid="g", name="n", memory_total_bytes=2, memory_used_bytes=1, memory_free_bytes=1)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ready(slot: Slot) -> None:
    slot.warm = Warm(pipelines=("a",), models=(YUNET,))
    slot.started_in_seconds = 1.5


async def test_a_slot_is_told_while_it_works_and_after(world: World) -> None:
    slot, told = Slot((), 1), [0]
    book = WorkBook([slot], world.clock)
    book.unavailable = {"broken": "no model"}
    book.changed = lambda: told.__setitem__(0, told[0] + 1)
    (facts,) = book.facts(Sample()).slots
    assert (facts.state, facts.pid, facts.models) == (SlotState.STARTING, None, ())

    task = await world.claimed(tenant="acme")
    book.began(slot, [task])
    ready(slot)
    whole = book.facts(Sample(gpus=(GPU,), children={1: Usage(1, 1.0)}))
    (facts,) = whole.slots
    assert (facts.state, facts.job_id, facts.task_id, facts.tenant, facts.pipeline) == (
        SlotState.BUSY,
        task.job_id,
        task.id,
        "acme",
        "a",
    )
    assert (facts.busy_since, facts.models, facts.warm_pipelines) == (world.clock.now(), (YUNET,), ("a",))
    assert (whole.gpus, whole.unavailable) == ((GPU,), {"broken": "no model"})

    world.clock.advance(4)
    book.ended(slot, Outcome.COMPLETED)
    after = book.facts(Sample())
    assert (after.slots[0].job_id, after.slots[0].models) == (None, (YUNET,))
    assert (after.work["a"].completed, after.work["a"].seconds) == (1, 4)
    assert told[0] == 2


async def test_every_end_is_counted_as_what_it_was(world: World) -> None:
    slot = Slot((), 1)
    book = WorkBook([slot], world.clock)
    task = await world.claimed()
    for outcome in (Outcome.FAILED, Outcome.FAILED, Outcome.CANCELLED, Outcome.RELEASED, None):
        book.began(slot, [task])
        book.ended(slot, outcome)
    tally = book.facts(Sample()).work["a"]
    assert (tally.completed, tally.failed, tally.cancelled, tally.released, tally.lost) == (0, 2, 1, 1, 1)
    assert tally.seconds == 0


async def test_tasks_that_share_a_slot_are_told_and_counted_each(world: World) -> None:
    slot = Slot((), 1)
    book = WorkBook([slot], world.clock)
    book.began(slot, [await world.claimed("1"), await world.claimed("2", pipeline="b")])
    (facts,) = book.facts(Sample()).slots
    assert (facts.task_id, facts.pipeline, facts.beside) == ("1", "a", ("b",))
    book.ended(slot, Outcome.COMPLETED, Outcome.FAILED)
    work = book.facts(Sample()).work
    assert (work["a"].completed, work["a"].failed, work["b"].completed, work["b"].failed) == (1, 0, 0, 1)


async def test_an_execution_tells_what_became_of_the_task_and_what_the_child_keeps(world: World) -> None:
    warm = Warm(pipelines=(), models=(YUNET,))
    slot = ScriptedSlot([warm, DONE], [failed(FailureCategory.SYSTEM, "odd")])
    assert await world.execution.run([await world.claimed("1")], cast("Slot", slot)) == [Outcome.COMPLETED]
    assert getattr(slot, "warm") == warm  # noqa: B009 - a scripted slot has no such field by itself
    slot.current = None
    assert await world.execution.run([await world.claimed("2")], cast("Slot", slot)) == [Outcome.FAILED]
    died = ScriptedSlot([ChildDiedError(-9)])
    assert await world.execution.run([await world.claimed("3")], cast("Slot", died)) == [Outcome.FAILED]


async def test_a_task_that_another_has_taken_is_lost(world: World) -> None:
    gate = asyncio.Event()
    slot = ScriptedSlot([gate, DONE])
    task = await world.claimed()
    running = asyncio.create_task(world.execution.run([task], cast("Slot", slot)))
    await until(lambda: slot.current is not None)
    world.tasks.held[task.id] = task.model_copy(update={"epoch": task.epoch + 1, "rev": task.rev + 1})
    gate.set()
    assert await running == [None]
