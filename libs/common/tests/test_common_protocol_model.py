"""The whole claim–commit–lease protocol as a model: any order of events keeps the promises.

Hypothesis drives scheduler, workers and results over the stores in memory: messages are repeated, dropped and
reordered; workers stop and come back after their lease; jobs are cancelled. After every step the invariants
hold, and at the end every job reaches its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from frameloom.common.adapters.memory import MemoryJobStore, MemoryTaskStore
from frameloom.common.cas import transact
from frameloom.common.clock import ManualClock
from frameloom.common.documents import (
    Failure,
    FailureCategory,
    MediaRef,
    Outcome,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.errors import NotFoundError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused

MEDIA = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
PIPELINES = ("a", "b")
CATEGORIES = [FailureCategory.WORKER_CRASH, FailureCategory.DECODE_ERROR, FailureCategory.STORAGE_ERROR]


class Protocol(RuleBasedStateMachine):
    """Two pipelines, any number of jobs and workers."""

    messages = Bundle("messages")
    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        self.clock = ManualClock()
        self.jobs = MemoryJobStore(self.clock)
        self.tasks = MemoryTaskStore(self.clock)
        self.machine = TaskMachine(RetryPolicy(jitter=lambda: 0.5), lease_seconds=15, finalize_seconds=60)
        self.seen_epochs: dict[str, int] = {}
        self.visible: dict[str, TaskResult] = {}
        self.ended: dict[str, TaskState] = {}
        self.count = 0

    def attempt(self, key: str, decide: Any) -> TaskDocument | None:
        try:
            return asyncio.run(transact(self.tasks, key, decide))
        except (Refused, NotFoundError):
            return None

    def fold(self, job_id: str) -> None:
        async def folded() -> None:
            changed = [task for task in await self.tasks.of_job(job_id) if task.pending_fold]
            with contextlib.suppress(Refused):
                await transact(
                    self.jobs, job_id, partial(jobs_machine.fold, tasks=changed, now=self.clock.now())
                )
            await self.tasks.mark_folded([(task.id, task.rev) for task in changed])

        asyncio.run(folded())

    @rule()
    def submit(self) -> None:
        self.count += 1

        async def planned() -> None:
            now = self.clock.now()
            submission = jobs_machine.Submission(f"job-{self.count}", "t", MEDIA, PIPELINES, {})
            job = jobs_machine.submit(submission, now)
            await self.jobs.insert(job)
            tasks = jobs_machine.plan_tasks(job, now)
            await self.tasks.insert_missing(tasks)
            await transact(self.jobs, job.id, partial(jobs_machine.planned, tasks=tasks, now=now))

        asyncio.run(planned())

    @rule(target=messages, choice=st.integers(0, 99))
    def dispatch(self, choice: int) -> tuple[str, int] | None:
        waiting = [task for name in PIPELINES for task in asyncio.run(self.tasks.waiting(name, 99))]
        if not waiting:
            return None
        task = waiting[choice % len(waiting)]
        after = self.attempt(task.id, partial(self.machine.dispatch, now=self.clock.now()))
        return (after.id, after.attempt) if after else None

    @rule(target=claims, message=messages, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, message: tuple[str, int] | None, worker: str) -> tuple[str, int] | None:
        """Messages stay in the bundle: each may be delivered again, late and out of order."""
        if message is None:
            return None
        key, number = message
        task = self.attempt(
            key, partial(self.machine.claim, attempt=number, worker=worker, now=self.clock.now())
        )
        if task is None:
            return None
        assert task.epoch == self.seen_epochs.get(key, 0) + 1
        self.seen_epochs[key] = task.epoch
        return (key, task.epoch)

    @rule(claim=claims)
    def renew(self, claim: tuple[str, int] | None) -> None:
        if claim:
            self.attempt(claim[0], partial(self.machine.renew, epoch=claim[1], progress=None))

    @rule(claim=claims)
    def finish(self, claim: tuple[str, int] | None) -> None:
        if claim:
            self.attempt(claim[0], partial(self.machine.finish, epoch=claim[1]))

    @rule(claim=claims)
    def complete(self, claim: tuple[str, int] | None) -> None:
        if claim:
            result = TaskResult(epoch=claim[1], manifest_key="m", artefacts=(), annotation_count=1)
            now = self.clock.now()
            self.attempt(claim[0], lambda task: self.machine.complete(task, result, now))

    @rule(claim=claims, category=st.sampled_from(CATEGORIES))
    def fail(self, claim: tuple[str, int] | None, category: FailureCategory) -> None:
        if claim:
            failure = Failure(category=category, message="m")
            decide = partial(self.machine.fail, failure=failure, epoch=claim[1], now=self.clock.now())
            self.attempt(claim[0], decide)

    @rule(claim=claims)
    def release(self, claim: tuple[str, int] | None) -> None:
        if claim:
            self.attempt(claim[0], partial(self.machine.release, epoch=claim[1], now=self.clock.now()))

    @rule(seconds=st.sampled_from([1, 6, 20, 90]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def reap(self) -> None:
        for task in asyncio.run(self.tasks.lease_expired(99)):
            self.attempt(task.id, partial(self.machine.expire, now=self.clock.now()))

    @rule(choice=st.integers(0, 99))
    def cancel(self, choice: int) -> None:
        keys = sorted(self.jobs.held)
        if not keys:
            return
        key = keys[choice % len(keys)]
        now = self.clock.now()
        try:
            asyncio.run(transact(self.jobs, key, partial(jobs_machine.request_cancel, now=now)))
        except Refused:
            return
        for task in asyncio.run(self.tasks.of_job(key)):
            self.attempt(task.id, partial(self.machine.request_cancel, now=now))

    @rule()
    def fold_all(self) -> None:
        for key in sorted(self.jobs.held):
            self.fold(key)

    @invariant()
    def one_result_per_task_and_it_stays(self) -> None:
        for task in getattr(self, "tasks", MemoryTaskStore(ManualClock())).held.values():
            assert (task.result is not None) == (task.state is TaskState.COMPLETED)
            if task.result is not None:
                assert self.visible.setdefault(task.id, task.result) == task.result

    @invariant()
    def an_end_is_an_end(self) -> None:
        if not hasattr(self, "ended"):
            return
        for task in self.tasks.held.values():
            if task.state.terminal:
                assert self.ended.setdefault(task.id, task.state) is task.state

    @invariant()
    def attempts_are_told_in_order_and_one_runs_at_most(self) -> None:
        if not hasattr(self, "tasks"):
            return
        for task in self.tasks.held.values():
            assert [a.epoch for a in task.attempts] == list(range(1, task.epoch + 1))
            open_ones = [a for a in task.attempts if a.outcome is Outcome.RUNNING]
            assert len(open_ones) == (1 if task.state.leased else 0)
            assert task.state.leased == (task.owner is not None)

    @invariant()
    def event_logs_have_no_gap(self) -> None:
        if not hasattr(self, "jobs"):
            return
        for job in self.jobs.held.values():
            assert [event.seq for event in job.events] == list(range(1, job.seq + 1))
            assert len({event.id for event in job.events}) == job.seq

    def teardown(self) -> None:
        """From wherever it stands, every job can still reach its end."""
        if not hasattr(self, "jobs"):
            return
        for _ in range(60):
            self.clock.advance(400)
            self.reap()
            for name in PIPELINES:
                for task in asyncio.run(self.tasks.waiting(name, 99)):
                    self.attempt(task.id, partial(self.machine.dispatch, now=self.clock.now()))
                for task in asyncio.run(self.tasks.unclaimed(name)):
                    claim = self.claim((task.id, task.attempt), "w9")
                    self.complete(claim)
            self.fold_all()
        assert all(task.state.terminal for task in self.tasks.held.values())
        assert all(job.status.terminal for job in self.jobs.held.values())


Protocol.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=timedelta(seconds=5))
TestProtocol = Protocol.TestCase
