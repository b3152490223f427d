"""The whole claim–commit–lease protocol as a model: any order of events keeps the promises.

Hypothesis drives scheduler, workers and results over the stores in memory: messages are repeated, dropped and
reordered; workers stop and come back after their lease; jobs are cancelled and deleted, step by step. After
every step the invariants hold, and at the end every job reaches its end, or is gone with all it had.
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
    JobDocument,
    JobStatus,
    MediaFacts,
    MediaRef,
    Outcome,
    SegmentRows,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.errors import NotFoundError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.segments import Limits
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.pipelines import Segmentation

MEDIA = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
FACTS = MediaFacts(container="mov", duration_seconds=90)
PIPELINES = ("a", "b")
SEGMENTED = {"b": Segmentation(seconds=45, overlap_seconds=1, above_seconds=60)}
CATEGORIES = [FailureCategory.WORKER_CRASH, FailureCategory.DECODE_ERROR, FailureCategory.STORAGE_ERROR]
KEPT_SECONDS = 100


class Protocol(RuleBasedStateMachine):
    """Two pipelines, one of them in two segments; any number of jobs and workers."""

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
        self.deleted: set[str] = set()
        self.bucket: set[tuple[str, str]] = set()
        self.count = 0

    def attempt(self, key: str, decide: Any) -> TaskDocument | None:
        try:
            return asyncio.run(transact(self.tasks, key, decide))
        except (Refused, NotFoundError):
            return None

    def fold(self, job_id: str) -> None:
        async def folded() -> None:
            changed = [task for task in await self.tasks.of_job(job_id) if task.pending_fold]
            with contextlib.suppress(Refused, NotFoundError):
                await transact(
                    self.jobs, job_id, partial(jobs_machine.fold, tasks=changed, now=self.clock.now())
                )
            if any(task.segment for task in changed):
                await self.advance_stitches(job_id)
            await self.tasks.mark_folded([(task.id, task.rev) for task in changed])

        asyncio.run(folded())

    async def advance_stitches(self, job_id: str) -> None:
        """As the scheduler does it: goes on when all segments are done, ends with one that failed."""
        tasks = {task.id: task for task in await self.tasks.of_job(job_id)}
        for stitch in tasks.values():
            pieces = [tasks[key] for key in stitch.waits_for]
            decide: Any = None
            failed = [piece for piece in pieces if piece.state is TaskState.FAILED]
            if failed and failed[0].failure:
                for piece in pieces:
                    with contextlib.suppress(Refused, NotFoundError):
                        end = partial(self.machine.request_cancel, now=self.clock.now())
                        await transact(self.tasks, piece.id, end)
                decide = partial(self.machine.abandon, failure=failed[0].failure, now=self.clock.now())
            elif pieces and all(piece.result for piece in pieces):
                parts = [SegmentRows(task_id=piece.id, epoch=piece.epoch, chunks=0) for piece in pieces]
                decide = partial(self.machine.ready, parts=parts)
            if decide is not None:
                with contextlib.suppress(Refused, NotFoundError):
                    await transact(self.tasks, stitch.id, decide)

    @rule()
    def submit(self) -> None:
        self.count += 1

        async def planned() -> None:
            now = self.clock.now()
            submission = jobs_machine.Submission(f"job-{self.count}", "t", MEDIA, PIPELINES, {}, facts=FACTS)
            job = jobs_machine.submit(submission, now)
            await self.jobs.insert(job)
            self.bucket.add((job.id, "media"))
            tasks = jobs_machine.plan_tasks(job, now, SEGMENTED, Limits())
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
    def chunk(self, claim: tuple[str, int] | None) -> None:
        """Also one of a worker whose task is another's by now, or of nobody: it is stored only if wanted."""
        task = self.tasks.held.get(claim[0]) if claim else None
        if claim and task is not None and task.epoch == claim[1] and not task.state.terminal:
            self.bucket.add((task.job_id, f"chunk {claim}"))

    @rule(claim=claims)
    def finish(self, claim: tuple[str, int] | None) -> None:
        if claim:
            self.attempt(claim[0], partial(self.machine.finish, epoch=claim[1]))

    @rule(claim=claims)
    def complete(self, claim: tuple[str, int] | None) -> None:
        if claim:
            result = TaskResult(epoch=claim[1], manifest_key="m", artefacts=(), annotation_count=1)
            now = self.clock.now()
            after = self.attempt(claim[0], lambda task: self.machine.complete(task, result, now))
            if after is not None:
                self.bucket.add((after.job_id, f"result {claim}"))

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

    def change(self, choice: int, decide: Any) -> JobDocument | None:
        """Changes one of the jobs that were ever submitted, as a client asks for it."""
        if not self.count:
            return None
        with contextlib.suppress(Refused, NotFoundError):
            return asyncio.run(transact(self.jobs, f"job-{choice % self.count + 1}", decide))
        return None

    @rule(choice=st.integers(0, 99))
    def cancel(self, choice: int) -> None:
        """The tasks follow in steps of their own, as they do when the scheduler is away."""
        self.change(choice, partial(jobs_machine.request_cancel, now=self.clock.now()))

    @rule(choice=st.integers(0, 99))
    def delete(self, choice: int) -> None:
        gone = self.change(choice, partial(jobs_machine.delete, now=self.clock.now()))
        if gone is not None:
            assert gone.id not in self.deleted
            self.deleted.add(gone.id)

    @rule()
    def stop_tasks(self) -> None:
        for job in asyncio.run(self.jobs.stopping(99)):
            for task in asyncio.run(self.tasks.of_job(job.id)):
                self.attempt(task.id, partial(self.machine.request_cancel, now=self.clock.now()))

    @rule(claim=claims)
    def stopped(self, claim: tuple[str, int] | None) -> None:
        """The holder has found the request at a renewal, and has ended the work."""
        task = self.tasks.held.get(claim[0]) if claim else None
        if claim and task is not None and task.cancel_requested:
            self.attempt(claim[0], partial(self.machine.cancel, epoch=claim[1], now=self.clock.now()))

    @rule()
    def relay(self) -> None:
        due = asyncio.run(self.jobs.relay_due(99))
        asyncio.run(self.jobs.mark_relayed([(job.id, job.seq) for job in due]))

    @rule()
    def tidy(self) -> None:
        for job in asyncio.run(self.jobs.untidied(99)):
            if all(task.state.terminal for task in asyncio.run(self.tasks.of_job(job.id))):
                if job.status is JobStatus.DELETED:
                    self.sweep_bucket(job.id)
                change = jobs_machine.tidied(job, self.clock.now())
                assert asyncio.run(self.jobs.apply(change)) is not None

    @rule()
    def purge(self) -> None:
        for job in asyncio.run(self.jobs.purgeable(KEPT_SECONDS, 99)):
            jobs_machine.purge(job)
            if not any(task.state.leased for task in asyncio.run(self.tasks.of_job(job.id))):
                self.sweep_bucket(job.id)
                asyncio.run(self.tasks.remove_of_job(job.id))
                assert asyncio.run(self.jobs.remove(job))

    def sweep_bucket(self, job_id: str) -> None:
        self.bucket = {entry for entry in self.bucket if entry[0] != job_id}

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
    def a_stitch_runs_after_its_segments(self) -> None:
        if not hasattr(self, "tasks"):
            return
        for task in self.tasks.held.values():
            if task.waits_for and task.epoch:
                assert all(self.tasks.held[key].result for key in task.waits_for)
                assert [part.task_id for part in task.parts] == list(task.waits_for)

    @invariant()
    def an_end_is_an_end(self) -> None:
        if not hasattr(self, "ended"):
            return
        for task in self.tasks.held.values():
            if task.state.terminal:
                assert self.ended.setdefault(task.id, task.state) is task.state

    def listed(self) -> set[str]:
        async def counted() -> set[str]:
            return {row.id async for some in self.jobs.census() for row in some}

        return asyncio.run(counted())

    @invariant()
    def what_was_deleted_stays_deleted(self) -> None:
        if not hasattr(self, "deleted"):
            return
        assert self.listed() == {f"job-{n + 1}" for n in range(self.count)} - self.deleted
        for key in self.deleted:
            assert asyncio.run(self.jobs.get(key)) is None
            if (tombstone := self.jobs.held.get(key)) is None:
                assert asyncio.run(self.tasks.of_job(key)) == []
                assert not any(entry[0] == key for entry in self.bucket)
            else:
                assert tombstone.events[-1].type == "job.deleted"

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
        """From wherever it stands, every job can still reach its end; of a deleted one nothing is left."""
        if not hasattr(self, "jobs"):
            return
        for _ in range(60):
            self.clock.advance(400)
            self.reap()
            self.stop_tasks()
            for name in PIPELINES:
                for task in asyncio.run(self.tasks.waiting(name, 99)):
                    self.attempt(task.id, partial(self.machine.dispatch, now=self.clock.now()))
                for task in asyncio.run(self.tasks.unclaimed(name)):
                    claim = self.claim((task.id, task.attempt), "w9")
                    self.complete(claim)
            self.fold_all()
            self.relay()
            self.tidy()
            self.purge()
        assert not self.deleted & set(self.jobs.held)
        assert not self.deleted & {task.job_id for task in self.tasks.held.values()}
        assert not self.deleted & {job_id for job_id, _ in self.bucket}
        assert all(task.state.terminal for task in self.tasks.held.values())
        assert all(job.status.terminal for job in self.jobs.held.values())


Protocol.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=timedelta(seconds=30))
TestProtocol = Protocol.TestCase
