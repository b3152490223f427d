"""Sweeping: leases that ran out, jobs nobody planned, and a sweep that outlives faults."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from frameloom.common.cas import transact
from frameloom.common.documents import FailureCategory, JobStatus, Outcome, TaskState
from frameloom.common.errors import DatabaseUnavailableError


async def test_an_expired_lease_queues_the_task_again_and_the_job_knows(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    world.clock.advance(16)
    await world.sweeper().reap()
    task = world.task()
    assert (task.state, task.attempt, task.owner) == (TaskState.QUEUED, 2, None)
    (lost,) = task.attempts
    assert (lost.outcome, lost.failure.category) == (Outcome.FAILED, FailureCategory.WORKER_LOST)
    assert "task.retrying" in [event.type for event in world.job().events]


async def test_a_lease_that_holds_is_left_alone(world: Any) -> None:
    await world.submit_and_plan()
    claimed = await world.claim()
    world.clock.advance(14)
    await world.sweeper().reap()
    assert world.task() == claimed


async def test_a_renewal_between_the_look_and_the_write_saves_the_task(world: Any) -> None:
    await world.submit_and_plan()
    claimed = await world.claim()
    world.clock.advance(16)
    real = world.tasks.lease_expired

    async def expired_then_renewed(limit: int) -> Any:
        found = await real(limit)
        decide = partial(world.machine.renew, epoch=claimed.epoch, progress=None)
        await transact(world.tasks, claimed.id, decide)
        return found

    world.tasks.lease_expired = expired_then_renewed
    await world.sweeper().reap()
    assert (world.task().state, world.task().attempt) == (TaskState.RUNNING, 1)


async def test_an_expired_task_that_was_to_be_cancelled_is_cancelled(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    await world.cancel()
    await world.canceller.cancel_if_over("j")
    world.clock.advance(16)
    await world.sweeper().reap()
    assert world.task().state is TaskState.CANCELLED


async def test_a_task_that_results_never_finished_is_tried_again(world: Any) -> None:
    await world.submit_and_plan()
    task = await world.claim()
    await transact(world.tasks, task.id, partial(world.machine.finish, epoch=task.epoch))
    world.clock.advance(59)
    await world.sweeper().reap()
    assert world.task().state is TaskState.FINALIZING
    world.clock.advance(2)
    await world.sweeper().reap()
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 2)


async def test_a_job_whose_event_was_lost_is_planned_after_a_while(world: Any) -> None:
    await world.submit()
    await world.sweeper().plan_forgotten()
    assert not world.job().planned
    world.clock.advance(4)
    await world.sweeper().plan_forgotten()
    assert world.job().planned


async def test_one_step_that_fails_does_not_keep_the_others_from_their_work(world: Any) -> None:
    """Nor does it end the sweeper: at the next round it is tried again."""
    await world.submit_and_plan()
    await world.claim()
    faults = [DatabaseUnavailableError("away"), DatabaseUnavailableError("away")]
    real = world.jobs.unplanned
    twice = asyncio.Event()

    async def unplanned(older_than_seconds: float, limit: int) -> Any:
        if faults:
            raise faults.pop()
        twice.set()
        return await real(older_than_seconds, limit)

    world.jobs.unplanned = unplanned
    async with world.sweeper().running(), asyncio.timeout(5):
        await twice.wait()
    assert world.job().status is JobStatus.RUNNING, "the fold sweep ran in the rounds that began badly"
