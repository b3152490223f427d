"""The job machine: planning, folding, the verdict, and a gap-free event log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from frameloom.common.documents import (
    Failure,
    FailureCategory,
    JobDocument,
    JobStatus,
    MediaRef,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.machines import job as machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.sections import config_of
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MEDIA = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")
TASKS = TaskMachine(RetryPolicy(), 15, 60)
BROKEN = Failure(category=FailureCategory.DECODE_ERROR, message="The video is damaged.")


def submitted(*pipelines: str, config: dict[str, Any] | None = None) -> JobDocument:
    return machine.submit(machine.Submission("j", "a", MEDIA, pipelines, config or {}), NOW)


def planned(*pipelines: str) -> tuple[JobDocument, list[TaskDocument]]:
    job = submitted(*pipelines)
    tasks = machine.plan_tasks(job, NOW)
    return machine.planned(job, tasks, NOW).after, tasks


def started(task: TaskDocument) -> TaskDocument:
    return TASKS.claim(task, attempt=task.attempt, worker="w", now=NOW).after


def completed(task: TaskDocument) -> TaskDocument:
    result = TaskResult(epoch=task.epoch, manifest_key="m", artefacts=(), annotation_count=2)
    return TASKS.complete(task, result, NOW).after


def failed(task: TaskDocument) -> TaskDocument:
    return TASKS.fail(task, BROKEN, epoch=task.epoch, now=NOW).after


def log_of(job: JobDocument) -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in job.events]


def test_planning_twice_names_the_same_tasks() -> None:
    job = submitted("scene_detection", "face_analysis")
    first, second = machine.plan_tasks(job, NOW), machine.plan_tasks(job, NOW)
    assert [task.id for task in first] == [task.id for task in second]
    done = machine.planned(job, first, NOW).after
    with pytest.raises(Refused):
        machine.planned(done, second, NOW)


def test_a_cancelled_job_is_not_planned() -> None:
    job = machine.request_cancel(submitted("p"), NOW).after
    with pytest.raises(Refused):
        machine.planned(job, machine.plan_tasks(job, NOW), NOW)


def test_the_whole_way_has_a_gap_free_log() -> None:
    job, (one, two) = planned("a", "b")
    one = started(one)
    job = machine.fold(job, [one], NOW).after
    assert job.status is JobStatus.RUNNING
    one, two = completed(one), completed(started(two))
    job = machine.fold(job, [one, two], NOW).after
    assert (job.status, job.error_message, job.completed_at) == (JobStatus.COMPLETED, None, NOW)
    assert log_of(job) == [
        (1, "job.submitted"),
        (2, "job.started"),
        (3, "task.started"),
        (4, "task.completed"),
        (5, "task.started"),
        (6, "task.completed"),
        (7, "job.completed"),
    ]
    assert len({event.id for event in job.events}) == 7


def test_folding_the_same_task_twice_changes_nothing() -> None:
    job, (task,) = planned("a")
    task = started(task)
    job = machine.fold(job, [task], NOW).after
    with pytest.raises(Refused):
        machine.fold(job, [task], NOW)


def test_an_older_copy_of_a_task_changes_nothing() -> None:
    job, (task,) = planned("a", "b")[0], planned("a", "b")[1][:1]
    early = started(task)
    late = completed(early)
    job = machine.fold(job, [late], NOW).after
    with pytest.raises(Refused):
        machine.fold(job, [early], NOW)


def test_a_retry_seen_late_still_starts_the_job_and_tells_both_attempts() -> None:
    job, (task,) = planned("a")
    task = TASKS.expire(started(task), NOW).after
    job = machine.fold(job, [task], NOW).after
    assert job.status is JobStatus.RUNNING
    assert [kind for _, kind in log_of(job)] == [
        "job.submitted",
        "job.started",
        "task.started",
        "task.retrying",
    ]


def test_partial_success_is_completed_with_the_failed_names() -> None:
    job, (one, two) = planned("good", "bad")
    job = machine.fold(job, [completed(started(one)), failed(started(two))], NOW).after
    assert job.status is JobStatus.COMPLETED
    assert job.error_message == "Completed with errors. Failed pipelines: bad"


def test_when_all_fail_the_job_says_why_once() -> None:
    job, tasks = planned("a", "b")
    job = machine.fold(job, [failed(started(task)) for task in tasks], NOW).after
    assert job.status is JobStatus.FAILED
    assert job.error_message == "All pipelines failed. The video is damaged."


def test_cancel_is_final() -> None:
    job, (task,) = planned("a")
    job = machine.request_cancel(job, NOW).after
    assert (job.status, job.error_message) == (JobStatus.CANCELLED, machine.CANCELLED_MESSAGE)
    with pytest.raises(Refused):
        machine.fold(job, [completed(started(task))], NOW)
    with pytest.raises(Refused):
        machine.request_cancel(job, NOW)


def test_a_finished_job_can_not_be_cancelled() -> None:
    job, (task,) = planned("a")
    job = machine.fold(job, [completed(started(task))], NOW).after
    with pytest.raises(Refused):
        machine.request_cancel(job, NOW)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"a": {"x": 1}, "b": {"y": 2}}, {"x": 1}),
        ({"b": {"y": 2}}, {}),
        ({"x": 1}, {"x": 1}),
        ({"a": "no object"}, {}),
        ({}, {}),
    ],
)
def test_each_pipeline_gets_its_section(config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config_of(config, "a", ("a", "b")) == expected


def test_every_task_of_a_cancelled_job_that_never_ran_is_terminal() -> None:
    _, (task,) = planned("a")
    assert TASKS.request_cancel(task, NOW).after.state is TaskState.CANCELLED


STATUSES = [status for status in JobStatus if status is not JobStatus.DELETED]


@pytest.mark.parametrize("status", STATUSES)
def test_a_job_can_be_deleted_in_any_status_and_once(status: JobStatus) -> None:
    job = planned("a")[0].model_copy(update={"status": status, "tidied": True})
    after = machine.delete(job, NOW).after
    assert (after.status, after.deleted_at, after.cancel_requested) == (JobStatus.DELETED, NOW, True)
    assert not after.tidied, "what was kept at its end goes now"
    assert (after.events[-1].type, after.events[-1].status) == ("job.deleted", JobStatus.DELETED)
    facts = {"cause": "request", "was": status.value, "created_at": NOW.isoformat()}
    assert after.events[-1].data == facts
    with pytest.raises(Refused):
        machine.delete(after, NOW)


def test_nothing_happens_to_a_deleted_job_but_its_removal() -> None:
    job, (task,) = planned("a")
    gone = machine.delete(job, NOW, machine.Cause.RETENTION).after
    assert gone.events[-1].data["cause"] == "retention"
    for refused in (
        lambda: machine.fold(gone, [completed(started(task))], NOW),
        lambda: machine.request_cancel(gone, NOW),
        lambda: machine.planned(gone.model_copy(update={"planned": False}), [task], NOW),
        lambda: machine.purge(gone),
    ):
        with pytest.raises(Refused):
            refused()


def test_a_tombstone_goes_when_it_is_swept_and_all_of_it_was_told() -> None:
    swept = machine.tidied(machine.delete(submitted("a"), NOW).after, NOW).after
    assert swept.relay_due
    with pytest.raises(Refused):
        machine.purge(swept)
    told = swept.model_copy(update={"relay_due": False})
    machine.purge(told)
    with pytest.raises(Refused):
        machine.purge(told.model_copy(update={"tidied": False}))
    with pytest.raises(Refused):
        machine.purge(machine.request_cancel(submitted("a"), NOW).after)
