"""Tasks of one job that share a slot: claimed together, each with its own end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from worker_world import DONE, ScriptedChild, ScriptedSlot, World, chunk, failed, until

from frameloom.common.documents import FailureCategory, Outcome, TaskDocument, TaskState
from frameloom.worker import crew as crew_module
from frameloom.worker.child.process import ChildDiedError

NEVER = asyncio.Event


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def claimed(world: World, *names: str, **more: object) -> list[TaskDocument]:
    """Tasks of one job on one file, each claimed; the pipeline has the task's name."""
    media = world.media("shared", b"media")
    common = {"job_id": "j", "media": media, "siblings": len(names) - 1, **more}
    leader = await world.claimed(names[0], pipeline=names[0], **common)
    for name in names[1:]:
        world.queued(name, pipeline=name, **common)
    return [leader, *await world.claims.siblings(leader, set(names))]


async def asked(slot: ScriptedSlot) -> ScriptedChild:
    await until(lambda: bool(slot.children))
    async with asyncio.timeout(10):
        await slot.children[0].asked.wait()
    return slot.children[0]


def states(world: World, *names: str) -> list[TaskState]:
    return [world.task(name).state for name in names]


def cancel(world: World, *names: str) -> None:
    """Asks for it, and hints at it, as the scheduler does."""
    for name in names:
        task = world.task(name)
        world.tasks.held[name] = task.model_copy(update={"cancel_requested": True, "rev": task.rev + 1})


async def test_the_waiting_tasks_of_a_job_come_along(world: World) -> None:
    media = world.media("shared", b"media")
    for name in ("a", "b", "c", "alone"):
        world.queued(name, pipeline=name, media=media, job_id="j", siblings=3)
    world.queued("stranger", pipeline="b", media=media, job_id="other")
    leader = await world.claimed("a", pipeline="a", media=media, job_id="j", siblings=3)
    others = await world.claims.siblings(leader, {"a", "b", "c"})
    assert [task.id for task in others] == ["b", "c"]
    assert {task.led_by for task in others} == {"a"}
    assert (
        states(world, "a", "b", "c", "alone", "stranger") == [TaskState.RUNNING] * 3 + [TaskState.QUEUED] * 2
    )
    assert len(world.publisher.on("wake")) == 3, "the scheduler hears of each"


async def test_nobody_is_looked_for_where_there_is_nobody(world: World) -> None:
    leader = await world.claimed()
    world.tasks.away = True
    assert await world.claims.siblings(leader, {"a"}) == []


async def test_a_database_that_goes_away_costs_the_siblings_only(world: World) -> None:
    media = world.media("shared", b"media")
    world.queued("b", pipeline="b", media=media, job_id="j", siblings=1)
    leader = await world.claimed("a", pipeline="a", media=media, job_id="j", siblings=1)
    world.tasks.away = True
    assert await world.claims.siblings(leader, {"a", "b"}) == []
    assert world.task("b").state is TaskState.QUEUED


async def test_each_has_its_own_chunks_and_its_own_end(world: World) -> None:
    tasks = await claimed(world, "a", "b")
    slot = ScriptedSlot(
        [
            chunk(1),
            chunk(7, member="b"),
            chunk(2),
            failed(FailureCategory.DECODE_ERROR, "Not this.", member="b"),
            chunk(3),
            DONE,
        ]
    )
    assert await world.execution.run(tasks, slot) == [Outcome.COMPLETED, Outcome.FAILED]  # type: ignore[arg-type]
    assert [i.row["n"] for c in world.chunks("a") for i in c.items] == [1, 2, 3]
    assert [c.seq for c in world.chunks("a")] == [0, 1, 2]
    assert [(c.seq, c.items[0].row["n"]) for c in world.chunks("b")] == [(0, 7)]
    assert states(world, "a", "b") == [TaskState.FINALIZING, TaskState.FAILED]
    (run,) = slot.children[0].runs
    assert [member.pipeline for member in run.members] == ["a", "b"]
    assert slot.resets == 0, "the child stays warm"


async def test_one_that_is_cancelled_drops_out_and_the_other_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=0.15)
    tasks, gate = await claimed(world, "a", "b"), asyncio.Event()
    slot = ScriptedSlot([gate, chunk(5), DONE])
    running = asyncio.create_task(world.execution.run(tasks, slot))  # type: ignore[arg-type]
    child = await asked(slot)
    cancel(world, "b")
    async with asyncio.timeout(10):
        await world.tasks.until(lambda: world.task("b").state is TaskState.CANCELLED)
        assert child.drops == ["b"]
        gate.set()
        assert await running == [Outcome.COMPLETED, Outcome.CANCELLED]
    assert slot.resets == 0


async def test_a_cancelled_job_ends_the_child(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=0.15)
    tasks = await claimed(world, "a", "b", "c")
    slot = ScriptedSlot([NEVER()])
    running = asyncio.create_task(world.execution.run(tasks, slot))  # type: ignore[arg-type]
    await asked(slot)
    cancel(world, "a", "b", "c")
    async with asyncio.timeout(10):
        assert await running == [Outcome.CANCELLED] * 3
    assert slot.current is None


async def test_a_child_that_does_not_let_go_is_ended_and_the_others_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "_DROP_SECONDS", 0.05)
    world = World(tmp_path, lease_seconds=0.15)
    tasks = await claimed(world, "a", "b")
    slot = ScriptedSlot([NEVER()])
    running = asyncio.create_task(world.execution.run(tasks, slot))  # type: ignore[arg-type]
    (await asked(slot)).deaf = True
    cancel(world, "b")
    async with asyncio.timeout(10):
        assert await running == [Outcome.RELEASED, Outcome.CANCELLED]
    assert slot.current is None
    assert (world.task("a").state, world.task("a").attempt, world.task("a").led_by) == (
        TaskState.QUEUED,
        1,
        None,
    )


async def test_a_dead_child_costs_each_an_attempt_and_they_do_not_meet_again(world: World) -> None:
    tasks = await claimed(world, "a", "b")
    slot = ScriptedSlot([chunk(1), ChildDiedError(-9)])
    assert await world.execution.run(tasks, slot) == [Outcome.FAILED] * 2  # type: ignore[arg-type]
    assert [world.task(name).attempt for name in ("a", "b")] == [2, 2]
    again = world.task("a")
    assert await world.claims.siblings(again, {"a", "b"}) == [], "what killed the process goes alone now"


async def test_one_that_ended_is_not_touched_by_what_comes_later(world: World) -> None:
    tasks = await claimed(world, "a", "b")
    slot = ScriptedSlot([DONE, ChildDiedError(-11)])
    assert await world.execution.run(tasks, slot) == [Outcome.COMPLETED, Outcome.FAILED]  # type: ignore[arg-type]
    assert states(world, "a", "b") == [TaskState.FINALIZING, TaskState.QUEUED]


async def test_a_shutdown_gives_all_back(world: World) -> None:
    tasks = await claimed(world, "a", "b")
    slot = ScriptedSlot([chunk(1), NEVER()])
    running = asyncio.create_task(world.execution.run(tasks, slot))  # type: ignore[arg-type]
    await asked(slot)
    running.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({running})
    assert states(world, "a", "b") == [TaskState.QUEUED] * 2
    assert slot.current is None


async def test_one_deadline_does_not_end_the_other(world: World) -> None:
    tasks, gate = await claimed(world, "a", "b"), asyncio.Event()
    hurried = tasks[1].model_copy(update={"deadline_seconds": 0.05})
    slot = ScriptedSlot([gate, DONE])
    running = asyncio.create_task(world.execution.run([tasks[0], hurried], slot))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await world.tasks.until(lambda: world.task("b").state is TaskState.QUEUED)
        gate.set()
        assert await running == [Outcome.COMPLETED, Outcome.FAILED]
    failure = world.task("b").attempts[0].failure
    assert failure is not None
    assert failure.category is FailureCategory.WORKER_TIMEOUT
