"""The relay: every event of a job, in order, then the mark; whatever fails in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from frameloom.common import relay
from frameloom.common.adapters.memory import MemoryJobStore, MemoryPublisher
from frameloom.common.cas import transact
from frameloom.common.clock import ManualClock
from frameloom.common.documents import JobDocument, MediaRef
from frameloom.common.errors import BrokerUnavailableError
from frameloom.common.events import Event, JobEventMessage
from frameloom.common.machines import job as jobs_machine
from frameloom.common.relay import JobRelay

MEDIA = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")


class GatedPublisher(MemoryPublisher):
    """Waits, or fails, where a test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, asyncio.Event] = {}
        self.failing: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.changed = asyncio.Condition()

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        assert isinstance(event, JobEventMessage)
        self.asked.append((event.job_id, event.seq))
        await self._tell()
        if event.job_id in self.failing:
            raise BrokerUnavailableError("away")
        if gate := self.gates.get(event.job_id):
            await gate.wait()
        await super().publish(event, topic, partition=partition)
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(holds)

    def told(self) -> list[tuple[str, int]]:
        return [(e.job_id, e.seq) for _, e in self.sent if isinstance(e, JobEventMessage)]


class Desk:
    """A relay over a store in memory."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.jobs = MemoryJobStore(self.clock)
        self.publisher = GatedPublisher()
        self.relay = JobRelay(self.jobs, self.publisher, "events")

    async def job(self, job_id: str = "j") -> JobDocument:
        submission = jobs_machine.Submission(job_id, "t", MEDIA, ("a",), {})
        job = jobs_machine.submit(submission, self.clock.now())
        await self.jobs.insert(job)
        return job

    async def cancelled(self, job_id: str = "j") -> JobDocument:
        decide = partial(jobs_machine.request_cancel, now=self.clock.now())
        return await transact(self.jobs, job_id, decide)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(relay, "_PAUSE_AFTER_FAULT_SECONDS", 0.01)
    return Desk()


async def test_what_is_offered_is_published_and_marked(desk: Desk) -> None:
    async with desk.relay.running():
        desk.relay.offer(await desk.job())
    assert desk.publisher.told() == [("j", 1)]
    assert (desk.jobs.held["j"].relayed_seq, desk.jobs.held["j"].relay_due) == (1, False)


async def test_an_event_keeps_its_id_from_the_document(desk: Desk) -> None:
    job = await desk.job()
    async with desk.relay.running():
        desk.relay.offer(job)
    ((_, event),) = desk.publisher.sent
    assert event.id == job.events[0].id


async def test_a_job_offered_while_it_is_published_goes_on_after_its_older_events(desk: Desk) -> None:
    gate = desk.publisher.gates["j"] = asyncio.Event()
    old = await desk.job()
    async with desk.relay.running():
        desk.relay.offer(old)
        await desk.publisher.until(lambda: desk.publisher.asked == [("j", 1)])
        desk.relay.offer(await desk.cancelled())
        desk.relay.offer(old)  # a straggler must not bring the newer one down
        gate.set()
        await desk.publisher.until(lambda: len(desk.publisher.told()) == 2)
    assert desk.publisher.told() == [("j", 1), ("j", 2)]
    assert (desk.jobs.held["j"].relayed_seq, desk.jobs.held["j"].relay_due) == (2, False)


async def test_a_fault_of_one_job_leaves_no_other_half_sent(desk: Desk) -> None:
    """The slow one's sending must be over before the next round, or its events go out twice."""
    gate = desk.publisher.gates["slow"] = asyncio.Event()
    desk.publisher.failing.add("bad")
    async with desk.relay.running():
        desk.relay.offer(await desk.job("bad"))
        desk.relay.offer(await desk.job("slow"))
        await desk.publisher.until(lambda: len(desk.publisher.asked) == 2)
        desk.publisher.failing.clear()
        await asyncio.sleep(0.1)  # long enough for a next round, if there were one
        gate.set()
        await desk.publisher.until(lambda: len(desk.publisher.told()) >= 2)
    assert desk.publisher.asked.count(("slow", 1)) == 1
    assert sorted(desk.publisher.told()) == [("bad", 1), ("slow", 1)]
    assert not any(job.relay_due for job in desk.jobs.held.values())


async def test_jobs_that_went_out_are_marked_although_another_did_not(desk: Desk) -> None:
    desk.publisher.failing.add("bad")
    async with desk.relay.running():
        desk.relay.offer(await desk.job("bad"))
        desk.relay.offer(await desk.job("good"))
    assert [job.id for job in desk.jobs.held.values() if job.relay_due] == ["bad"]


async def test_after_a_fault_an_event_that_went_out_is_not_sent_again(desk: Desk) -> None:
    await desk.job()
    job = await desk.cancelled()
    real = desk.jobs.mark_relayed
    faults = [BrokerUnavailableError("away")]
    marked = asyncio.Event()

    async def mark(relayed: object) -> None:
        if faults:
            raise faults.pop()
        await real(relayed)  # type: ignore[arg-type]
        marked.set()

    desk.jobs.mark_relayed = mark  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(5), desk.relay.running():
        desk.relay.offer(job)
        await marked.wait()
    assert desk.publisher.told() == [("j", 1), ("j", 2)]
    assert not desk.jobs.held["j"].relay_due


async def test_a_sweep_finds_what_another_process_left(desk: Desk) -> None:
    await desk.job("left")
    done = await desk.job("done")
    await desk.jobs.mark_relayed([(done.id, done.seq)])
    async with desk.relay.running():
        await desk.relay.sweep()
    assert desk.publisher.told() == [("left", 1)]


async def test_an_event_written_between_publishing_and_marking_stays_due(desk: Desk) -> None:
    gate = desk.publisher.gates["j"] = asyncio.Event()
    job = await desk.job()
    async with desk.relay.running():
        desk.relay.offer(job)
        await desk.publisher.until(lambda: bool(desk.publisher.asked))
        await desk.cancelled()
        gate.set()
        await desk.publisher.until(lambda: bool(desk.publisher.told()))
    assert desk.jobs.held["j"].relay_due


async def test_a_broker_that_stays_away_does_not_keep_a_service_from_ending(desk: Desk) -> None:
    desk.publisher.failing.add("j")
    async with asyncio.timeout(5), desk.relay.running():
        desk.relay.offer(await desk.job())
    assert desk.jobs.held["j"].relay_due
