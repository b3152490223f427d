"""Folding: what became of the tasks, into the job, exactly once."""

from __future__ import annotations

from functools import partial
from typing import Any

from frameloom.common.cas import transact
from frameloom.common.documents import (
    Failure,
    FailureCategory,
    JobStatus,
    TaskDocument,
    TaskResult,
    TaskState,
)

BROKEN = Failure(category=FailureCategory.DECODE_ERROR, message="No picture.")


def types(world: Any) -> list[str]:
    return [event.type for event in world.job().events]


async def complete(world: Any, pipeline: str = "a") -> TaskDocument:
    task = world.task("j", pipeline)
    result = TaskResult(epoch=task.epoch, manifest_key="m", artefacts=(), annotation_count=2)
    return await transact(
        world.tasks, task.id, partial(world.machine.complete, result=result, now=world.clock.now())
    )


async def test_a_claim_starts_the_job_and_a_result_ends_it(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    await world.folder.fold("j")
    assert world.job().status is JobStatus.RUNNING
    await complete(world)
    await world.folder.fold("j")
    assert world.job().status is JobStatus.COMPLETED
    assert types(world) == [
        "job.submitted",
        "job.started",
        "task.started",
        "task.completed",
        "job.completed",
    ]
    assert [event.seq for event in world.job().events] == [1, 2, 3, 4, 5]


async def test_folding_twice_tells_nothing_twice(world: Any) -> None:
    await world.submit_and_plan()
    claimed = await world.claim()
    await world.folder.fold("j")
    before = world.job()
    world.tasks.held[claimed.id] = claimed  # the mark was lost in a crash: the outbox is full again
    await world.folder.fold("j")
    assert world.job() == before
    assert not world.task().pending_fold


async def test_what_changes_while_it_is_folded_stays_pending(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    real = world.jobs.apply

    async def apply_and_complete(change: Any) -> Any:
        world.jobs.apply = real
        await complete(world)
        return await real(change)

    world.jobs.apply = apply_and_complete
    await world.folder.fold("j")
    assert world.job().status is JobStatus.RUNNING
    assert world.task().pending_fold
    await world.folder.sweep()
    assert world.job().status is JobStatus.COMPLETED
    assert types(world).count("task.started") == 1


async def test_the_first_write_of_planning_waits_for_the_second(world: Any) -> None:
    """A task that a worker claims before its job is planned must not end up marked as told."""
    await world.submit()
    real = world.jobs.apply

    async def claimed_meanwhile(change: Any) -> Any:
        await world.claim()
        await world.folder.fold("j")
        return await real(change)

    world.jobs.apply = claimed_meanwhile
    await world.planner.plan("j")
    world.jobs.apply = real
    assert world.task().pending_fold
    await world.folder.fold("j")
    assert world.job().status is JobStatus.RUNNING


async def test_a_task_given_back_after_a_cancel_is_ended(world: Any) -> None:
    await world.submit_and_plan()
    task = await world.claim()
    await world.cancel()
    await world.canceller.cancel_if_over("j")
    await transact(
        world.tasks, task.id, partial(world.machine.release, epoch=task.epoch, now=world.clock.now())
    )
    assert world.task().state is TaskState.CANCELLED
    await world.folder.fold("j")
    assert not world.task().pending_fold
    assert world.job().status is JobStatus.CANCELLED


async def test_a_task_that_starts_after_its_job_is_over_hears_of_it(world: Any) -> None:
    await world.submit_and_plan()
    await world.cancel()
    await world.claim()
    await world.folder.fold("j")
    assert world.task().cancel_requested


async def test_the_tasks_of_a_deleted_job_are_told_to_end(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    del world.jobs.held["j"]
    await world.folder.sweep()
    assert world.task().cancel_requested
    assert not world.task().pending_fold


async def test_some_failed_tasks_are_told_in_the_verdict(world: Any) -> None:
    await world.submit_and_plan(pipelines=("a", "b"))
    for pipeline in ("a", "b"):
        await world.claim(pipeline=pipeline)
    task = world.task("j", "b")
    decide = partial(world.machine.fail, failure=BROKEN, epoch=task.epoch, now=world.clock.now())
    await transact(world.tasks, task.id, decide)
    await complete(world, "a")
    await world.folder.sweep()
    assert world.job().status is JobStatus.COMPLETED
    assert world.job().error_message == "Completed with errors. Failed pipelines: b"
    assert types(world).count("job.completed") == 1


async def test_a_task_that_failed_for_good_is_put_on_the_dead_letter_topic_once(world: Any) -> None:
    await world.submit_and_plan()
    task = await world.claim()
    await transact(
        world.tasks,
        task.id,
        partial(world.machine.fail, failure=BROKEN, epoch=task.epoch, now=world.clock.now()),
    )
    folder = world.folder
    await folder.fold("j")
    await folder.fold("j")
    (notice,) = world.publisher.on(world.topics.dead_letters)
    assert (notice.task_id, notice.attempts, notice.failure) == (task.id, 1, BROKEN)
    (failed,) = [event for event in world.job().events if event.type == "task.failed"]
    assert notice.id == failed.id
