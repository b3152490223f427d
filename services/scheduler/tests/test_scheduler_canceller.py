"""Ending the tasks of what was cancelled or deleted: once asked, always told, whatever was lost."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from frameloom.common.cas import transact
from frameloom.common.documents import JobStatus, TaskState
from frameloom.common.errors import BrokerUnavailableError, DatabaseUnavailableError
from frameloom.common.events import JobEventMessage, TaskCancelRequested
from frameloom.common.machines import job as jobs_machine
from frameloom.scheduler import canceller as module


def hints(world: Any) -> list[tuple[str, int]]:
    sent = world.publisher.on(world.topics.control)
    assert all(isinstance(event, TaskCancelRequested) for event in sent)
    return [(event.task_id, event.epoch) for event in sent]


def told(kind: str) -> JobEventMessage:
    return JobEventMessage(job_id="j", tenant="t", seq=2, type=kind, status=kind.removeprefix("job."))


@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_a_running_task_is_asked_and_its_worker_hinted(world: Any, end: str) -> None:
    await world.submit_and_plan(pipelines=("a", "b"))
    running = await world.claim(pipeline="a")
    await getattr(world, end)()
    await world.handlers.on_job_event(told({"cancel": "job.cancelled", "delete": "job.deleted"}[end]))
    assert (world.task("j", "a").state, world.task("j", "a").cancel_requested) == (TaskState.RUNNING, True)
    assert world.task("j", "b").state is TaskState.CANCELLED
    assert hints(world) == [(running.id, running.epoch)], "nobody holds the queued one"


async def test_the_request_is_in_the_document_before_the_hint_is_out(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    await world.cancel()
    real = world.publisher.publish
    seen: list[bool] = []

    async def publish(event: Any, topic: str, **more: Any) -> None:
        seen.append(world.task().cancel_requested)
        await real(event, topic, **more)

    world.publisher.publish = publish
    await world.canceller.cancel_if_over("j")
    assert seen == [True]


async def test_a_hint_is_repeated_as_long_as_the_task_runs(world: Any) -> None:
    await world.submit_and_plan()
    running = await world.claim()
    await world.cancel()
    for _ in range(2):
        await world.canceller.cancel_if_over("j")
    assert hints(world) == [(running.id, 1)] * 2
    await transact(world.tasks, running.id, partial(world.machine.cancel, epoch=1, now=world.clock.now()))
    assert not await world.canceller.cancel_if_over("j")
    assert len(hints(world)) == 2


async def test_what_is_handed_over_is_asked_and_no_worker_hinted(world: Any) -> None:
    """The results service holds it, and reads the request when it is about to show the result."""
    await world.submit_and_plan()
    task = await world.claim()
    await transact(world.tasks, task.id, partial(world.machine.finish, epoch=1))
    await world.delete()
    assert await world.canceller.cancel_if_over("j")
    assert (world.task().state, world.task().cancel_requested) == (TaskState.FINALIZING, True)
    assert hints(world) == []


async def test_the_sweep_finds_what_no_event_told(world: Any) -> None:
    await world.submit_and_plan()
    await world.submit_and_plan("other")
    running = await world.claim()
    await world.delete()
    await world.canceller.sweep()
    assert hints(world) == [(running.id, 1)]
    assert world.task("other").state is TaskState.QUEUED


async def test_the_sweep_leaves_alone_what_waits_for_the_results_service_only(world: Any) -> None:
    await world.submit_and_plan()
    await world.cancel()
    canceller = world.canceller
    for _ in range(2):
        await canceller.sweep()
    assert world.task().state is TaskState.CANCELLED
    asked: list[str] = []
    real = world.tasks.of_job

    async def of_job(job_id: str) -> Any:
        asked.append(job_id)
        return await real(job_id)

    world.tasks.of_job = of_job
    await canceller.sweep()
    assert asked == []
    tombstone = await transact(world.jobs, "j", partial(jobs_machine.delete, now=world.clock.now()))
    await world.jobs.apply(jobs_machine.tidied(tombstone, world.clock.now()))
    await canceller.sweep()
    assert asked == []


async def test_a_broker_that_is_away_holds_up_no_task(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that refuses nor one that is silent; the requests stand in the documents."""
    monkeypatch.setattr(module, "_TELL_SECONDS", 0.01)
    await world.submit_and_plan(pipelines=("a", "b"))
    for pipeline in ("a", "b"):
        await world.claim(pipeline=pipeline)
    await world.cancel()
    ways = [asyncio.Event().wait, None]

    async def publish(event: Any, topic: str, **more: Any) -> None:
        if (way := ways.pop()) is not None:
            await way()
        raise BrokerUnavailableError("away")

    world.publisher.publish = publish
    await world.canceller.cancel_if_over("j")
    assert ways == []
    assert all(task.cancel_requested for task in world.tasks.held.values())


async def test_a_database_that_is_away_is_told_so_that_the_event_is_read_again(world: Any) -> None:
    await world.submit_and_plan()
    await world.delete()

    async def away(_: str) -> Any:
        raise DatabaseUnavailableError("away")

    world.tasks.of_job = away
    with pytest.raises(DatabaseUnavailableError):
        await world.handlers.on_job_event(told("job.deleted"))


async def test_a_job_deleted_between_the_writes_of_its_plan_takes_the_tasks_with_it(world: Any) -> None:
    await world.submit(pipelines=("a", "b"))
    real = world.tasks.insert_missing

    async def inserted_then_deleted(tasks: Any) -> None:
        await real(tasks)
        await world.delete()

    world.tasks.insert_missing = inserted_then_deleted
    assert not await world.planner.plan("j")
    assert {task.state for task in world.tasks.held.values()} == {TaskState.CANCELLED}
    assert world.job().status is JobStatus.DELETED
    assert not world.job().planned


@pytest.mark.parametrize("end", ["cancel", "delete"])
async def test_tasks_that_a_dead_scheduler_left_of_an_ended_job_are_ended(world: Any, end: str) -> None:
    """It had made them and died; the event that it had not committed is read again."""
    job = await world.submit()
    await world.tasks.insert_missing(jobs_machine.plan_tasks(job, world.clock.now()))
    await getattr(world, end)()
    await world.handlers.on_job_event(told("job.submitted"))
    assert world.task().state is TaskState.CANCELLED


async def test_what_happens_to_tasks_of_a_deleted_job_is_not_told_any_more(world: Any) -> None:
    await world.submit_and_plan()
    await world.claim()
    await world.delete()
    before = world.job()
    await world.folder.sweep()
    assert world.job() == before
    assert not world.task().pending_fold
    assert world.task().cancel_requested
