"""Planning: once, whatever is repeated or cut in two; and cancelling what was planned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from frameloom.common.adapters.memory import MemoryTaskStore
from frameloom.common.clock import Clock, task_id
from frameloom.common.documents import JobStatus, TaskDocument, TaskState
from frameloom.common.machines import job as jobs_machine


class MeddledTaskStore(MemoryTaskStore):
    """Lets something happen between the two writes of planning."""

    def __init__(self, clock: Clock, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(clock)
        self._meanwhile = meanwhile

    async def insert_missing(self, tasks: Sequence[TaskDocument]) -> None:
        await super().insert_missing(tasks)
        await self._meanwhile()


async def test_one_task_per_pipeline_and_the_job_knows_them(world: Any) -> None:
    await world.submit(pipelines=("a", "b"), tenant="x", priority=3)
    assert await world.planner.plan("j")
    assert {t.pipeline for t in world.tasks.held.values()} == {"a", "b"}
    assert {(t.tenant, t.priority, t.state) for t in world.tasks.held.values()} == {
        ("x", 3, TaskState.QUEUED)
    }
    assert world.job().planned
    assert {s.id for s in world.job().tasks} == set(world.tasks.held)


async def test_planning_again_changes_nothing(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    before = (world.job(), world.task())
    assert not await world.planner.plan("j")
    assert (world.job(), world.task()) == before


async def test_planning_goes_on_after_a_crash_between_its_writes(world: Any) -> None:
    job = await world.submit(pipelines=("a", "b"))
    (one, _) = jobs_machine.plan_tasks(job, world.clock.now())
    await world.tasks.insert_missing([one])
    assert await world.planner.plan("j")
    assert set(world.tasks.held) == {task_id("j", "a"), task_id("j", "b")}


async def test_a_job_that_is_over_or_gone_is_not_planned(world: Any) -> None:
    await world.submit()
    await world.cancel()
    assert not await world.planner.plan("j")
    assert not await world.planner.plan("nobody")
    assert world.tasks.held == {}


async def test_a_cancel_between_the_writes_takes_the_new_tasks_with_it(world: Any) -> None:
    world.tasks = MeddledTaskStore(world.clock, world.cancel)
    await world.submit(pipelines=("a", "b"))
    assert not await world.planner.plan("j")
    assert world.job().status is JobStatus.CANCELLED
    assert {t.state for t in world.tasks.held.values()} == {TaskState.CANCELLED}


async def test_two_planners_at_once_leave_the_tasks_alone(world: Any) -> None:
    again: list[bool] = []

    async def other() -> None:
        if not again:
            again.append(True)
            assert await world.planner.plan("j")

    world.tasks = MeddledTaskStore(world.clock, other)
    await world.submit()
    assert not await world.planner.plan("j")
    assert world.task().state is TaskState.QUEUED


async def test_cancelling_ends_queued_tasks_and_asks_running_ones(world: Any) -> None:
    await world.submit_and_plan(pipelines=("a", "b"))
    await world.claim(pipeline="a")
    await world.cancel()
    await world.canceller.cancel_if_over("j")
    assert (world.task("j", "a").state, world.task("j", "a").cancel_requested) == (TaskState.RUNNING, True)
    assert world.task("j", "b").state is TaskState.CANCELLED


async def test_a_live_job_keeps_its_tasks_and_a_deleted_one_does_not(world: Any) -> None:
    await world.submit_and_plan()
    await world.canceller.cancel_if_over("j")
    assert world.task().state is TaskState.QUEUED
    del world.jobs.held["j"]
    await world.canceller.cancel_if_over("j")
    assert world.task().state is TaskState.CANCELLED
