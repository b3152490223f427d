"""The task machine: every legal transition by name, every other one refused, and what each writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from frameloom.common.documents import (
    Failure,
    FailureCategory,
    MediaRef,
    Outcome,
    SegmentRows,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.machines.retry import DEFAULT_RULES, RetryPolicy, Rule
from frameloom.common.machines.task import LEGAL, Reason, TaskMachine, shares_decode
from frameloom.common.machines.transition import Change, Guard, Refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MEDIA = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")
LOST = Failure(category=FailureCategory.WORKER_LOST, message="lost")
BROKEN = Failure(category=FailureCategory.DECODE_ERROR, message="broken")


@pytest.fixture
def machine() -> TaskMachine:
    return TaskMachine(RetryPolicy(jitter=lambda: 1.0), lease_seconds=15, finalize_seconds=60)


@pytest.fixture
def queued() -> TaskDocument:
    return TaskDocument(
        id="t", job_id="j", tenant="a", pipeline="scene_detection", media=MEDIA, created_at=NOW
    )


@pytest.fixture
def running(machine: TaskMachine, queued: TaskDocument) -> TaskDocument:
    return machine.claim(queued, attempt=1, worker="w1", now=NOW).after


def result(epoch: int) -> TaskResult:
    return TaskResult(epoch=epoch, manifest_key="m", artefacts=(), annotation_count=3)


def ask(machine: TaskMachine, reason: Reason, task: TaskDocument) -> Change[TaskDocument]:
    """The change for a reason, as its rightful owner would ask for it."""
    epoch = task.epoch
    return {
        Reason.READY: lambda: machine.ready(task, [SegmentRows(task_id="s", epoch=1, chunks=2)]),
        Reason.ABANDON: lambda: machine.abandon(task, BROKEN, NOW),
        Reason.DISPATCH: lambda: machine.dispatch(task, NOW),
        Reason.CLAIM: lambda: machine.claim(task, attempt=task.attempt, worker="w", now=NOW),
        Reason.RENEW: lambda: machine.renew(task, epoch=epoch, progress=None),
        Reason.FINISH: lambda: machine.finish(task, epoch=epoch),
        Reason.COMPLETE: lambda: machine.complete(task, result(epoch), NOW),
        Reason.FAIL: lambda: machine.fail(task, LOST, epoch=epoch, now=NOW),
        Reason.RELEASE: lambda: machine.release(task, epoch=epoch, now=NOW),
        Reason.EXPIRE: lambda: machine.expire(task, NOW),
        Reason.REQUEST_CANCEL: lambda: machine.request_cancel(task, NOW),
        Reason.CANCEL: lambda: machine.cancel(task, epoch=epoch, now=NOW),
    }[reason]()


def in_state(machine: TaskMachine, queued: TaskDocument, state: TaskState) -> TaskDocument:
    running = machine.claim(queued, attempt=1, worker="w", now=NOW).after
    finalizing = machine.finish(running, epoch=1).after
    return {
        TaskState.WAITING: queued.model_copy(update={"state": TaskState.WAITING, "waits_for": ("s",)}),
        TaskState.QUEUED: queued,
        TaskState.RUNNING: running,
        TaskState.FINALIZING: finalizing,
        TaskState.COMPLETED: machine.complete(finalizing, result(1), NOW).after,
        TaskState.FAILED: machine.fail(running, BROKEN, epoch=1, now=NOW).after,
        TaskState.CANCELLED: machine.request_cancel(queued, NOW).after,
    }[state]


@pytest.mark.parametrize("state", list(TaskState))
@pytest.mark.parametrize("reason", list(Reason))
def test_the_table_decides_what_is_legal(
    machine: TaskMachine, queued: TaskDocument, reason: Reason, state: TaskState
) -> None:
    task = in_state(machine, queued, state)
    assert task.state is state
    if state in LEGAL[reason]:
        change = ask(machine, reason, task)
        assert change.before is task
        assert change.after.rev == task.rev + 1
    else:
        with pytest.raises(Refused):
            ask(machine, reason, task)


def test_nothing_leaves_a_terminal_state() -> None:
    assert not [reason for reason, states in LEGAL.items() if any(state.terminal for state in states)]


def test_a_claim_raises_the_epoch_and_begins_a_lease(machine: TaskMachine, queued: TaskDocument) -> None:
    change = machine.claim(queued, attempt=1, worker="w1", now=NOW)
    assert (change.after.epoch, change.after.owner, change.lease_seconds) == (1, "w1", 15)
    assert change.guard is Guard.ELIGIBLE
    assert [event.type for event in change.after.outbox] == ["task.started"]
    assert change.after.pending_fold


def test_a_claim_for_another_attempt_is_stale(machine: TaskMachine, queued: TaskDocument) -> None:
    with pytest.raises(Refused):
        machine.claim(queued, attempt=2, worker="w1", now=NOW)


@pytest.mark.parametrize(
    "reason", [Reason.RENEW, Reason.FINISH, Reason.FAIL, Reason.RELEASE, Reason.CANCEL, Reason.COMPLETE]
)
def test_an_older_epoch_is_fenced_off(machine: TaskMachine, running: TaskDocument, reason: Reason) -> None:
    newer = running.model_copy(update={"epoch": running.epoch + 1})
    stale = {
        Reason.RENEW: lambda: machine.renew(newer, epoch=1, progress=None),
        Reason.FINISH: lambda: machine.finish(newer, epoch=1),
        Reason.FAIL: lambda: machine.fail(newer, LOST, epoch=1, now=NOW),
        Reason.RELEASE: lambda: machine.release(newer, epoch=1, now=NOW),
        Reason.CANCEL: lambda: machine.cancel(newer, epoch=1, now=NOW),
        Reason.COMPLETE: lambda: machine.complete(newer, result(1), NOW),
    }
    with pytest.raises(Refused):
        stale[reason]()


def test_a_lost_worker_costs_an_attempt_and_the_next_one_is_recorded(
    machine: TaskMachine, running: TaskDocument
) -> None:
    change = machine.expire(running, NOW)
    assert change.guard is Guard.LEASE_EXPIRED
    assert change.delay_seconds == pytest.approx(0.5)
    again = machine.claim(change.after, attempt=2, worker="w2", now=NOW).after
    done = machine.complete(again, result(2), NOW).after
    told = [(a.number, a.outcome, a.failure.category if a.failure else None) for a in done.attempts]
    assert told == [
        (1, Outcome.FAILED, FailureCategory.WORKER_LOST),
        (2, Outcome.COMPLETED, None),
    ]


def test_a_released_task_keeps_its_attempt_number(machine: TaskMachine, running: TaskDocument) -> None:
    after = machine.release(running, epoch=1, now=NOW).after
    assert (after.state, after.attempt, after.owner) == (TaskState.QUEUED, 1, None)
    assert after.dispatched_at is None


def test_a_released_task_that_is_to_be_cancelled_ends(machine: TaskMachine, running: TaskDocument) -> None:
    asked = machine.request_cancel(running, NOW).after
    after = machine.release(asked, epoch=1, now=NOW).after
    assert (after.state, after.owner, after.lease_until) == (TaskState.CANCELLED, None, None)
    assert [event.type for event in after.outbox][-1] == "task.cancelled"


def test_the_last_attempt_fails_for_good(machine: TaskMachine, queued: TaskDocument) -> None:
    task = queued
    tries = DEFAULT_RULES[FailureCategory.WORKER_LOST].attempts
    for number in range(1, tries + 1):
        task = machine.claim(task, attempt=number, worker="w", now=NOW).after
        task = machine.expire(task, NOW).after
    assert task.state is TaskState.FAILED
    assert task.failure is not None
    assert len(task.attempts) == tries


def test_damaged_media_is_never_tried_again(machine: TaskMachine, running: TaskDocument) -> None:
    change = machine.fail(running, BROKEN, epoch=1, now=NOW)
    assert change.after.state is TaskState.FAILED
    assert change.delay_seconds is None


def test_a_running_task_hears_of_the_cancel_and_can_not_complete(
    machine: TaskMachine, running: TaskDocument
) -> None:
    asked = machine.request_cancel(running, NOW).after
    assert (asked.state, asked.cancel_requested) == (TaskState.RUNNING, True)
    with pytest.raises(Refused):
        machine.complete(asked, result(1), NOW)
    assert machine.cancel(asked, epoch=1, now=NOW).after.state is TaskState.CANCELLED


def test_an_expired_lease_of_a_cancelled_task_ends_it(machine: TaskMachine, running: TaskDocument) -> None:
    asked = machine.request_cancel(running, NOW).after
    assert machine.expire(asked, NOW).after.state is TaskState.CANCELLED


def test_every_category_has_a_rule_and_backoff_grows_to_its_limit() -> None:
    assert set(DEFAULT_RULES) == set(FailureCategory)
    policy = RetryPolicy(
        rules={FailureCategory.SYSTEM: Rule(attempts=9, backoff_seconds=1, backoff_limit_seconds=5)},
        jitter=lambda: 1.0,
    )
    delays = [policy.delay_seconds("p", FailureCategory.SYSTEM, n) for n in range(1, 10)]
    assert delays == [1, 2, 4, 5, 5, 5, 5, 5, None]


def test_jitter_spreads_over_the_upper_half() -> None:
    rules = {FailureCategory.SYSTEM: Rule(attempts=2, backoff_seconds=8)}
    low = RetryPolicy(rules=rules, jitter=lambda: 0.0).delay_seconds("p", FailureCategory.SYSTEM, 1)
    assert low == 4


def test_a_pipeline_may_have_a_rule_of_its_own() -> None:
    policy = RetryPolicy(overrides={"slow": {FailureCategory.WORKER_LOST: Rule(attempts=1)}})
    assert policy.delay_seconds("slow", FailureCategory.WORKER_LOST, 1) is None
    assert policy.delay_seconds("other", FailureCategory.WORKER_LOST, 1) is not None


def test_fresh_tasks_of_a_job_share_a_decode(machine: TaskMachine, queued: TaskDocument) -> None:
    other = queued.model_copy(update={"id": "t2", "pipeline": "b"})
    assert shares_decode(queued, other, {"b"})
    assert not shares_decode(queued, queued, {queued.pipeline}), "it is no sibling of its own"
    assert not shares_decode(queued, other, {"c"}), "this worker can not run it"
    apart = other.media.model_copy(update={"key": "media/other"})
    for change in (
        {"state": TaskState.RUNNING},
        {"cancel_requested": True},
        {"attempt": 2},
        {"next_eligible_at": NOW},
        {"media": apart},
    ):
        assert not shares_decode(queued, other.model_copy(update=change), {"b"}), change
    assert not shares_decode(queued.model_copy(update={"attempt": 2}), other, {"b"}), "it goes alone now"


def test_whose_slot_a_task_shares_is_forgotten_at_its_end(machine: TaskMachine, queued: TaskDocument) -> None:
    running = machine.claim(queued, attempt=1, worker="w", now=NOW, led_by="leader").after
    assert running.led_by == "leader"
    for change in (
        machine.release(running, epoch=1, now=NOW),
        machine.cancel(running, epoch=1, now=NOW),
        machine.fail(running, LOST, epoch=1, now=NOW),
        machine.expire(running, NOW),
    ):
        assert change.after.led_by is None
