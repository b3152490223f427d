"""The tally: counted once, then told; counted again when something does not fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from gateway_kit import job, soon

from frameloom.common.adapters.memory import MemoryJobStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import LISTED, JobDocument, JobStatus
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.events import JobEventMessage
from frameloom.common.machines.job import delete
from frameloom.common.ports.stores import JobRow
from frameloom.gateway.services.tally import Tally


class WatchedStore(MemoryJobStore):
    """Counts the counts, and lets a test hold one up or break it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.counts = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.failure: Exception | None = None

    async def census(self) -> AsyncIterator[list[JobRow]]:
        self.counts += 1
        if self.failure is not None:
            raise self.failure
        rows = [row async for some in super().census() for row in some]
        self.begun.set()
        await self.go_on.wait()
        yield rows


class World:
    """Jobs in a store and a tally of them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = WatchedStore(self.clock)
        self.tally = Tally(self.store, self.clock, recount_seconds=0.05)

    async def stored(self, name: str, status: JobStatus = JobStatus.PENDING) -> JobDocument:
        """A job in the store of which nobody has told."""
        made = job(self.clock, name, status=status)
        await self.store.insert(made)
        self.clock.advance(1)
        return made


def event(of: JobDocument, seq: int, kind: str, status: str) -> JobEventMessage:
    return JobEventMessage(
        job_id=of.id, tenant=of.tenant, seq=seq, type=kind, status=status, time=of.created_at
    )


@pytest.fixture
def world() -> World:
    return World()


async def test_it_counts_once_for_all_who_ask_at_once(world: World) -> None:
    await world.stored("j1")
    totals = await asyncio.gather(*(world.tally.total("default") for _ in range(20)))
    assert totals == [1] * 20
    assert await world.tally.window("default", None, 0, 10) is not None
    assert world.store.counts == 1


async def test_own_writes_count_at_once_and_their_events_do_not_count_again(world: World) -> None:
    assert await world.tally.total("default") == 0
    made = await world.stored("j1")
    world.tally.wrote(made)
    assert await world.tally.total("default", JobStatus.PENDING) == 1
    assert await world.tally.position(made) == 1
    await world.tally.heard(event(made, 1, "job.submitted", "pending"))
    assert await world.tally.total("default") == 1
    world.tally.deleted(made)
    await world.tally.heard(event(made, 2, "job.deleted", "deleted"))
    await world.tally.heard(event(made, 3, "task.cancelled", "deleted"))
    assert await world.tally.total("default") == 0
    assert world.store.counts == 1


async def test_events_of_other_gateways_count(world: World) -> None:
    waiting = await world.stored("j0")
    assert await world.tally.total("default") == 1
    made = await world.stored("j1")
    await world.tally.heard(event(made, 1, "job.submitted", "pending"))
    assert await world.tally.position(made) == 2
    await world.tally.heard(event(waiting, 2, "task.started", "pending"))
    await world.tally.heard(event(waiting, 3, "job.started", "running"))
    assert await world.tally.position(made) == 1
    assert (await world.tally.by_status(None))[JobStatus.RUNNING] == 1
    await world.tally.heard(event(waiting, 4, "job.deleted", "deleted"))
    assert await world.tally.by_status("default") == {s: int(s is JobStatus.PENDING) for s in LISTED}


async def test_old_jobs_that_another_gateway_deletes_are_known_by_what_the_event_tells(world: World) -> None:
    """Of jobs that have long been over no id is kept."""
    old = [await world.stored(name, JobStatus.COMPLETED) for name in ("old", "older")]
    world.clock.advance(3600)
    assert await world.tally.total("default") == 2
    gone = delete(old[0], world.clock.now()).after
    told = event(gone, gone.seq, "job.deleted", "deleted").model_copy(update={"data": gone.events[-1].data})
    for _ in range(2):
        await world.tally.heard(told)
    assert await world.tally.total("default") == 1
    await world.tally.heard(event(old[1], 2, "job.deleted", "deleted"))
    assert await world.tally.total("default") == 1, "it does not tell what it was: the next count will"
    assert world.tally._doubtful.is_set()


async def test_what_happens_during_the_count_is_in_it_once(world: World) -> None:
    early, gone = await world.stored("early"), await world.stored("gone")
    world.store.go_on.clear()
    asking = asyncio.create_task(world.tally.total("default"))
    await world.store.begun.wait()
    late = await world.stored("late")
    world.tally.wrote(late)
    await world.tally.heard(event(early, 1, "job.submitted", "pending"))
    await world.tally.heard(event(early, 2, "job.started", "running"))
    world.tally.deleted(gone)
    world.store.go_on.set()
    assert await asking == 2
    assert await world.tally.total("default", JobStatus.RUNNING) == 1
    assert world.store.counts == 1


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    async with world.tally.running():
        await soon(lambda: world.store.counts == 1)
        yield


async def test_an_event_of_an_unknown_job_makes_it_count_again(world: World) -> None:
    world.tally = Tally(world.store, world.clock, recount_seconds=3600)
    async with running(world):
        missed = await world.stored("missed", JobStatus.RUNNING)
        assert await world.tally.total("default") == 0
        await world.tally.heard(event(missed, 3, "job.started", "running"))
        async with asyncio.timeout(5):
            while await world.tally.total("default", JobStatus.RUNNING) == 0:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)


async def test_it_counts_again_after_a_while(world: World) -> None:
    async with running(world):
        await world.stored("missed")
        async with asyncio.timeout(5):
            while await world.tally.total("default") == 0:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)


async def test_a_database_that_is_away_is_told_only_before_the_first_count(world: World) -> None:
    world.store.failure = DatabaseUnavailableError("away")
    with pytest.raises(DatabaseUnavailableError):
        await world.tally.total("default")
    world.store.failure = None
    assert await world.tally.total("default") == 0
    world.store.failure = DatabaseUnavailableError("away")
    async with running_despite(world):
        assert await world.tally.total("default") == 0


@asynccontextmanager
async def running_despite(world: World) -> AsyncIterator[None]:
    before = world.store.counts
    async with world.tally.running():
        await soon(lambda: world.store.counts > before)
        yield
