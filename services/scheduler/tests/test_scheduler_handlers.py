"""What wakes the scheduler, and what it passes over."""

from __future__ import annotations

from typing import Any

import pytest

from frameloom.common.documents import JobStatus, TaskState
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.events import JobEventMessage, TaskChanged


def told(kind: str, job_id: str = "j") -> JobEventMessage:
    return JobEventMessage(job_id=job_id, tenant="t", seq=1, type=kind, status="pending")


async def test_a_submission_is_planned_and_a_repeated_one_is_not(world: Any) -> None:
    await world.submit()
    await world.handlers.on_job_event(told("job.submitted"))
    before = dict(world.tasks.held)
    assert len(before) == 1
    await world.handlers.on_job_event(told("job.submitted"))
    assert world.tasks.held == before


async def test_a_cancel_reaches_queued_and_running_tasks_and_the_job_keeps_its_status(world: Any) -> None:
    await world.submit_and_plan(pipelines=("a", "b"))
    await world.claim(pipeline="b")
    await world.cancel()
    await world.handlers.on_job_event(told("job.cancelled"))
    assert world.task("j", "a").state is TaskState.CANCELLED
    assert world.task("j", "b").cancel_requested
    assert world.job().status is JobStatus.CANCELLED


async def test_a_cancel_that_comes_before_the_submission_leaves_nothing_to_run(world: Any) -> None:
    await world.submit()
    await world.cancel()
    for kind in ("job.cancelled", "job.submitted"):
        await world.handlers.on_job_event(told(kind))
    assert world.tasks.held == {}


async def test_a_changed_task_is_folded(world: Any) -> None:
    await world.submit_and_plan()
    task = await world.claim()
    await world.handlers.on_task_changed(TaskChanged.of(task))
    assert world.job().status is JobStatus.RUNNING


async def test_other_news_change_nothing(world: Any) -> None:
    await world.submit()
    before = (world.job(), dict(world.tasks.held))
    await world.handlers.on_job_event(told("job.started"))
    await world.handlers.on_job_event(told("job.submitted", "unknown"))
    task_news = TaskChanged(job_id="j", task_id="t", pipeline="a", rev=1, state="queued")
    await world.handlers.on_job_event(task_news)
    assert (world.job(), dict(world.tasks.held)) == before


async def test_a_database_that_is_away_is_told_so_that_the_message_is_tried_again(world: Any) -> None:
    async def away(_: str) -> Any:
        raise DatabaseUnavailableError("away")

    world.jobs.get = away
    with pytest.raises(DatabaseUnavailableError):
        await world.handlers.on_job_event(told("job.submitted"))
