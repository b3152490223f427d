"""The document stores: the same promises in memory and on the database."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from frameloom.common.adapters.memory import MemoryFleetStore, MemoryJobStore, MemoryTaskStore
from frameloom.common.adapters.mongo import Mongo, MongoFleetStore, MongoJobStore, MongoTaskStore
from frameloom.common.cas import transact
from frameloom.common.clock import SystemClock, new_id
from frameloom.common.documents import (
    Failure,
    FailureCategory,
    FleetMember,
    JobDocument,
    JobStatus,
    MediaRef,
    PipelineOffer,
    Service,
    TaskDocument,
    TaskResult,
    TaskState,
    TaskSummary,
)
from frameloom.common.documents.facts import Facts, SlotFacts, SlotState, WorkerFacts, WorkTally
from frameloom.common.errors import NotFoundError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy, Rule
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.pipelines import PipelineInfo, Progress
from frameloom.common.ports.stores import FleetStore, JobRow, JobStore, TaskStore
from frameloom.common.settings import MongoSettings
from support.grounds import Grounds

CLOCK = SystemClock()
MEDIA = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")
QUICK = {category: Rule(attempts=3, backoff_seconds=0.4) for category in FailureCategory}
MACHINE = TaskMachine(RetryPolicy(rules=QUICK, jitter=lambda: 1.0), lease_seconds=0.3, finalize_seconds=0.3)


class Stores:
    """The three stores of one database."""

    def __init__(self, jobs: JobStore, tasks: TaskStore, fleet: FleetStore) -> None:
        self.jobs, self.tasks, self.fleet = jobs, tasks, fleet


@pytest.fixture(params=["memory", "embedded"])
async def stores(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryJobStore(CLOCK), MemoryTaskStore(CLOCK), MemoryFleetStore(CLOCK, 0.5))
        return
    ground = await all_grounds.get(request.param)
    settings = MongoSettings(
        uri=ground.environment["FRAMELOOM_MONGO_URI"], database=f"c{uuid.uuid4().hex[:10]}"
    )
    async with Mongo.connected(settings) as mongo:
        jobs, tasks, fleet = MongoJobStore(mongo), MongoTaskStore(mongo), MongoFleetStore(mongo, 0.5)
        for store in (jobs, tasks, fleet):
            await store.create_indexes()
        yield Stores(jobs, tasks, fleet)
        await mongo.drop()


def job(tenant: str = "a", *pipelines: str) -> JobDocument:
    submission = jobs_machine.Submission(
        new_id(), tenant, MEDIA, pipelines or ("p",), {"p": {"deep": [1, {"x.y": None}]}}
    )
    return jobs_machine.submit(submission, CLOCK.now())


def task(tenant: str = "a", pipeline: str = "p", priority: int = 0) -> TaskDocument:
    return TaskDocument(
        id=new_id(),
        job_id=new_id(),
        tenant=tenant,
        pipeline=pipeline,
        priority=priority,
        media=MEDIA,
        created_at=CLOCK.now(),
    )


async def claimed(stores: Stores, fresh: TaskDocument, worker: str = "w") -> TaskDocument:
    await stores.tasks.insert_missing([fresh])
    return await transact(
        stores.tasks, fresh.id, partial(MACHINE.claim, attempt=1, worker=worker, now=CLOCK.now())
    )


async def test_a_job_comes_back_as_it_was(stores: Stores) -> None:
    wanted = job()
    await stores.jobs.insert(wanted)
    assert await stores.jobs.get(wanted.id) == wanted
    assert await stores.jobs.get("nobody") is None


async def test_a_change_of_an_older_revision_is_not_written(stores: Stores) -> None:
    first = job()
    await stores.jobs.insert(first)
    change = jobs_machine.request_cancel(first, CLOCK.now())
    assert (await stores.jobs.apply(change)) is not None
    assert (await stores.jobs.apply(change)) is None
    stored = await stores.jobs.get(first.id)
    assert stored is not None
    assert [event.type for event in stored.events] == ["job.submitted", "job.cancelled"]


async def test_of_many_claims_one_wins(stores: Stores) -> None:
    fresh = task()
    await stores.tasks.insert_missing([fresh])

    async def claim(worker: str) -> TaskDocument | None:
        try:
            return await transact(
                stores.tasks, fresh.id, partial(MACHINE.claim, attempt=1, worker=worker, now=CLOCK.now())
            )
        except Refused:
            return None

    winners = [w for w in await asyncio.gather(*(claim(f"w{n}") for n in range(8))) if w is not None]
    assert len(winners) == 1
    stored = await stores.tasks.get(fresh.id)
    assert stored == winners[0]
    assert (stored.epoch, stored.state) == (1, TaskState.RUNNING)


async def test_inserting_again_leaves_what_is_there(stores: Stores) -> None:
    first, second = task(), task()
    running = await claimed(stores, first)
    await stores.tasks.insert_missing([first, second])
    assert await stores.tasks.get(first.id) == running
    assert (await stores.tasks.get(second.id)) == second


async def test_a_lease_runs_out_by_the_stores_clock(stores: Stores) -> None:
    running = await claimed(stores, task())
    assert await stores.tasks.lease_expired(10) == []
    with pytest.raises(Refused):
        await transact(stores.tasks, running.id, partial(MACHINE.expire, now=CLOCK.now()))
    async with asyncio.timeout(5):
        while not (expired := await stores.tasks.lease_expired(10)):
            await asyncio.sleep(0.02)
    assert [t.id for t in expired] == [running.id]
    after = await transact(stores.tasks, running.id, partial(MACHINE.expire, now=CLOCK.now()))
    assert (after.state, after.attempt) == (TaskState.QUEUED, 2)


async def test_a_renewal_moves_the_lease_and_carries_progress(stores: Stores) -> None:
    running = await claimed(stores, task())
    progress = Progress(stage="annotating", fraction=0.5, frames_done=7)
    after = await transact(stores.tasks, running.id, partial(MACHINE.renew, epoch=1, progress=progress))
    assert after.progress == progress
    assert after.lease_until is not None
    assert running.lease_until is not None
    assert after.lease_until >= running.lease_until


async def test_a_backoff_keeps_a_task_back_until_it_is_due(stores: Stores) -> None:
    running = await claimed(stores, task())
    lost = await transact(
        stores.tasks, running.id, lambda t: MACHINE.fail(t, _failure(), epoch=1, now=CLOCK.now())
    )
    assert lost.next_eligible_at is not None
    assert await stores.tasks.waiting("p", 10) == []
    with pytest.raises(Refused):
        await transact(
            stores.tasks, running.id, partial(MACHINE.claim, attempt=2, worker="w", now=CLOCK.now())
        )
    async with asyncio.timeout(5):
        while not await stores.tasks.waiting("p", 10):
            await asyncio.sleep(0.02)
    again = await transact(
        stores.tasks, running.id, partial(MACHINE.claim, attempt=2, worker="w", now=CLOCK.now())
    )
    assert (again.epoch, again.next_eligible_at) == (2, None)


def _failure():  # type: ignore[no-untyped-def]
    from frameloom.common.documents import Failure

    return Failure(category=FailureCategory.WORKER_CRASH, message="m")


async def test_waiting_tasks_come_by_tenant_in_order_and_bounded(stores: Stores) -> None:
    greedy = [task("greedy") for _ in range(5)]
    urgent = task("greedy", priority=9)
    modest = task("modest")
    await stores.tasks.insert_missing([*greedy, urgent, modest, task("greedy", "other")])
    found = await stores.tasks.waiting("p", 2)
    assert [t.id for t in found if t.tenant == "greedy"] == [urgent.id, greedy[0].id]
    assert [t.id for t in found if t.tenant == "modest"] == [modest.id]
    assert await stores.tasks.waiting_pipelines() == {"p", "other"}


async def test_a_dispatched_task_is_unclaimed_until_it_is_claimed(stores: Stores) -> None:
    fresh = task()
    await stores.tasks.insert_missing([fresh])
    await transact(stores.tasks, fresh.id, partial(MACHINE.dispatch, now=CLOCK.now()))
    assert await stores.tasks.waiting("p", 10) == []
    assert [t.id for t in await stores.tasks.unclaimed("p")] == [fresh.id]
    await transact(stores.tasks, fresh.id, partial(MACHINE.claim, attempt=1, worker="w", now=CLOCK.now()))
    assert await stores.tasks.unclaimed("p") == []
    assert await stores.tasks.running_by_owner() == {"w": 1}
    assert await stores.tasks.running_by_tenant("p") == {"a": 1}


async def test_tasks_that_share_a_slot_take_one(stores: Stores) -> None:
    leader, beside, apart = task(), task(), task()
    await stores.tasks.insert_missing([leader, beside, apart])
    claim = partial(MACHINE.claim, attempt=1, worker="w", now=CLOCK.now())
    await transact(stores.tasks, leader.id, claim)
    joined = await transact(stores.tasks, beside.id, partial(claim, led_by=leader.id))
    assert joined.led_by == leader.id
    await transact(stores.tasks, apart.id, partial(claim, worker="v"))
    assert await stores.tasks.running_by_owner() == {"w": 1, "v": 1}


async def test_folding_empties_the_outbox_unless_the_task_moved_on(stores: Stores) -> None:
    running = await claimed(stores, task())
    assert [t.id for t in await stores.tasks.pending_fold(10)] == [running.id]
    moved = await transact(stores.tasks, running.id, partial(MACHINE.finish, epoch=1))
    await stores.tasks.mark_folded([(running.id, running.rev)])
    assert [t.id for t in await stores.tasks.pending_fold(10)] == [running.id]
    await stores.tasks.mark_folded([(moved.id, moved.rev)])
    assert await stores.tasks.pending_fold(10) == []
    stored = await stores.tasks.get(running.id)
    assert stored is not None
    assert stored.outbox == ()


async def test_an_event_written_after_the_outbox_was_emptied_stands_alone(stores: Stores) -> None:
    running = await claimed(stores, task())
    change = MACHINE.release(running, epoch=1, now=CLOCK.now())
    await stores.tasks.mark_folded([(running.id, running.rev)])
    after = await stores.tasks.apply(change)
    assert after is not None
    assert [event.type for event in after.outbox] == ["task.released"]
    assert [t.id for t in await stores.tasks.pending_fold(10)] == [running.id]


async def test_an_event_written_while_the_relay_marked_is_still_due(stores: Stores) -> None:
    fresh = job()
    await stores.jobs.insert(fresh)
    change = jobs_machine.request_cancel(fresh, CLOCK.now())
    await stores.jobs.mark_relayed([(fresh.id, 1)])
    assert await stores.jobs.apply(change) is not None
    assert [j.id for j in await stores.jobs.relay_due(10)] == [fresh.id]


async def test_relay_marks_only_what_it_published(stores: Stores) -> None:
    fresh = job()
    await stores.jobs.insert(fresh)
    cancelled = await transact(stores.jobs, fresh.id, partial(jobs_machine.request_cancel, now=CLOCK.now()))
    await stores.jobs.mark_relayed([(fresh.id, 1)])
    assert [j.id for j in await stores.jobs.relay_due(10)] == [fresh.id]
    await stores.jobs.mark_relayed([(fresh.id, cancelled.seq)])
    assert await stores.jobs.relay_due(10) == []
    stored = await stores.jobs.get(fresh.id)
    assert stored is not None
    assert stored.relayed_seq == 2


async def test_a_span_of_jobs_is_oldest_first_by_tenant_and_status(stores: Stores) -> None:
    begin = CLOCK.now()
    mine = [
        job("mine").model_copy(update={"created_at": begin + timedelta(milliseconds=5 * number)})
        for number in range(5)
    ]
    twin = job("mine").model_copy(update={"created_at": mine[1].created_at})
    for each in [*mine, twin, job("other").model_copy(update={"created_at": mine[1].created_at})]:
        await stores.jobs.insert(each)
    await transact(stores.jobs, mine[4].id, partial(jobs_machine.request_cancel, now=CLOCK.now()))

    async def span(first: int, last: int, skip: int = 0, status: JobStatus | None = None) -> list[str]:
        found = await stores.jobs.between(
            tenant="mine",
            status=status,
            since=mine[first].created_at,
            before=mine[last].created_at + timedelta(milliseconds=1),
            skip=skip,
            limit=3,
        )
        return [each.id for each in found]

    twins = sorted([mine[1].id, twin.id])
    assert await span(1, 2) == [*twins, mine[2].id]
    assert await span(1, 4, skip=1) == [twins[1], mine[2].id, mine[3].id]
    assert await span(0, 4, status=JobStatus.CANCELLED) == [mine[4].id]
    assert await span(0, 3, status=JobStatus.CANCELLED) == []
    assert [j.id for j in await stores.jobs.untidied(10)] == [mine[4].id]


async def test_a_job_of_a_list_comes_without_what_a_list_does_not_show(stores: Stores) -> None:
    full = job()
    failed = Failure(category=FailureCategory.SYSTEM, message="no")
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(), annotation_count=3)
    summaries = (
        TaskSummary(id="t", pipeline="p", state=TaskState.COMPLETED, result=result),
        TaskSummary(id="u", pipeline="q", state=TaskState.FAILED, failure=failed),
    )
    full = full.model_copy(update={"tasks": summaries})
    await stores.jobs.insert(full)
    (listed,) = await stores.jobs.between(
        tenant="a",
        status=None,
        since=full.created_at,
        before=full.created_at + timedelta(milliseconds=1),
        skip=0,
        limit=9,
    )
    bare = tuple(task.model_copy(update={"result": None, "failure": None}) for task in summaries)
    assert listed == full.model_copy(update={"events": (), "tasks": bare})


async def test_a_census_has_every_job_of_every_tenant(stores: Stores) -> None:
    all_jobs = [job(tenant) for tenant in ("a", "b", "a")]
    for each in all_jobs:
        await stores.jobs.insert(each)
    await transact(stores.jobs, all_jobs[0].id, partial(jobs_machine.request_cancel, now=CLOCK.now()))
    rows = [row async for some in stores.jobs.census() for row in some]
    assert sorted(rows) == sorted(
        JobRow(each.id, each.tenant, JobStatus.PENDING if number else JobStatus.CANCELLED, each.created_at)
        for number, each in enumerate(all_jobs)
    )


async def test_forgotten_jobs_are_found_after_a_while(stores: Stores) -> None:
    fresh = job()
    await stores.jobs.insert(fresh)
    assert await stores.jobs.unplanned(60, 10) == []
    async with asyncio.timeout(5):
        while not await stores.jobs.unplanned(0.05, 10):
            await asyncio.sleep(0.02)


async def deleted(stores: Stores, fresh: JobDocument) -> JobDocument:
    """A job that was stored and deleted; its tombstone."""
    await stores.jobs.insert(fresh)
    return await transact(stores.jobs, fresh.id, partial(jobs_machine.delete, now=CLOCK.now()))


async def swept(stores: Stores, tombstone: JobDocument) -> JobDocument:
    """The tombstone after its bucket was swept and its events were published."""
    after = await stores.jobs.apply(jobs_machine.tidied(tombstone, CLOCK.now()))
    assert after is not None
    await stores.jobs.mark_relayed([(after.id, after.seq)])
    told = await stores.jobs.with_tombstone(after.id)
    assert told is not None
    return told


async def test_a_deleted_job_is_seen_only_by_who_asks_for_tombstones(stores: Stores) -> None:
    kept, gone = job(), job()
    await stores.jobs.insert(kept)
    tombstone = await deleted(stores, gone)
    assert (tombstone.status, tombstone.rev, tombstone.seq) == (JobStatus.DELETED, gone.rev + 1, 2)
    assert await stores.jobs.get(gone.id) is None
    assert await stores.jobs.with_tombstone(gone.id) == tombstone
    assert await stores.jobs.with_tombstone(kept.id) == kept
    assert await stores.jobs.with_tombstone("nobody") is None
    for status, expected in ((None, [kept.id]), (JobStatus.PENDING, [kept.id]), (JobStatus.DELETED, [])):
        listed = await stores.jobs.between(
            tenant="a",
            status=status,
            since=kept.created_at - timedelta(seconds=1),
            before=gone.created_at + timedelta(seconds=1),
            skip=0,
            limit=9,
        )
        assert [each.id for each in listed] == expected
    assert [row.id async for some in stores.jobs.census() for row in some] == [kept.id]
    assert await stores.jobs.unplanned(-60, 9) == [kept]
    assert await stores.jobs.known([kept.id, gone.id, "nobody"]) == {kept.id, gone.id}
    assert await stores.jobs.known([]) == set()


async def test_a_change_that_was_decided_before_the_deletion_is_not_written(stores: Stores) -> None:
    fresh = job()
    cancel = jobs_machine.request_cancel(fresh, CLOCK.now())
    await deleted(stores, fresh)
    assert await stores.jobs.apply(cancel) is None
    with pytest.raises(NotFoundError):
        await transact(stores.jobs, fresh.id, partial(jobs_machine.request_cancel, now=CLOCK.now()))


async def test_a_deletion_is_told_until_the_tombstone_goes(stores: Stores) -> None:
    tombstone = await deleted(stores, job())
    (found,) = await stores.jobs.changed_since("a", tombstone.updated_at, 9)
    assert [event.type for event in found.events] == ["job.submitted", "job.deleted"]
    assert [j.id for j in await stores.jobs.relay_due(9)] == [tombstone.id]


async def test_what_was_cancelled_or_deleted_is_stopping_until_it_is_tidied(stores: Stores) -> None:
    ended, gone = job(), job()
    await stores.jobs.insert(job())
    await stores.jobs.insert(ended)
    ended = await transact(stores.jobs, ended.id, partial(jobs_machine.request_cancel, now=CLOCK.now()))
    gone = await deleted(stores, gone)
    for query in (stores.jobs.stopping, stores.jobs.untidied):
        assert {j.id for j in await query(9)} == {ended.id, gone.id}
    for each in (ended, gone):
        assert await stores.jobs.apply(jobs_machine.tidied(each, CLOCK.now())) is not None
    for query in (stores.jobs.stopping, stores.jobs.untidied):
        assert await query(9) == []


async def test_a_tidied_job_that_is_deleted_is_to_be_tidied_again(stores: Stores) -> None:
    fresh = job()
    await stores.jobs.insert(fresh)
    await transact(stores.jobs, fresh.id, partial(jobs_machine.request_cancel, now=CLOCK.now()))
    await transact(stores.jobs, fresh.id, partial(jobs_machine.tidied, now=CLOCK.now()))
    await transact(stores.jobs, fresh.id, partial(jobs_machine.delete, now=CLOCK.now()))
    assert [j.id for j in await stores.jobs.untidied(9)] == [fresh.id]


async def test_a_tombstone_goes_after_its_time_and_when_all_is_done(stores: Stores) -> None:
    unswept, untold = await deleted(stores, job()), await deleted(stores, job())
    untold = (await stores.jobs.apply(jobs_machine.tidied(untold, CLOCK.now()))) or untold
    done = await swept(stores, await deleted(stores, job()))
    assert await stores.jobs.purgeable(60, 9) == []
    async with asyncio.timeout(5):
        while not (found := await stores.jobs.purgeable(0.05, 9)):
            await asyncio.sleep(0.02)
    assert found == [done]
    for each in (unswept, untold, done.model_copy(update={"rev": done.rev - 1})):
        if each.relay_due or each.rev != done.rev:
            assert not await stores.jobs.remove(each)
    assert await stores.jobs.remove(done)
    assert await stores.jobs.with_tombstone(done.id) is None
    assert not await stores.jobs.remove(done)
    assert await stores.jobs.known([unswept.id, untold.id, done.id]) == {unswept.id, untold.id}


async def test_only_tombstones_can_be_removed(stores: Stores) -> None:
    fresh = job()
    await stores.jobs.insert(fresh)
    await stores.jobs.mark_relayed([(fresh.id, fresh.seq)])
    assert not await stores.jobs.remove(fresh)
    assert await stores.jobs.get(fresh.id) is not None


async def test_the_oldest_tombstones_are_purged_first(stores: Stores) -> None:
    tombstones = [await swept(stores, await deleted(stores, job())) for _ in range(4)]
    found = await stores.jobs.purgeable(-60, 2)
    assert {j.id for j in found} <= {j.id for j in tombstones}
    assert len(found) == 2


async def test_what_has_been_over_for_long_is_expired(stores: Stores) -> None:
    waiting, over, gone = job(), job(), job()
    for each in (waiting, over):
        await stores.jobs.insert(each)
    over = await transact(stores.jobs, over.id, partial(jobs_machine.request_cancel, now=CLOCK.now()))
    await deleted(stores, gone)
    assert over.completed_at is not None
    assert await stores.jobs.expired(over.completed_at, 9) == []
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert await stores.jobs.expired(later, 9) == [over]


async def test_the_tasks_of_one_job_are_removed_and_no_others(stores: Stores) -> None:
    mine, also_mine, other = task(), task(), task()
    also_mine = also_mine.model_copy(update={"job_id": mine.job_id})
    await stores.tasks.insert_missing([mine, also_mine, other])
    await stores.tasks.remove_of_job(mine.job_id)
    assert await stores.tasks.of_job(mine.job_id) == []
    assert await stores.tasks.of_job(other.job_id) == [other]
    with pytest.raises(NotFoundError):
        await transact(stores.tasks, mine.id, partial(MACHINE.claim, attempt=1, worker="w", now=CLOCK.now()))


async def test_changed_since_gives_the_log_for_a_replay(stores: Stores) -> None:
    early = job()
    await stores.jobs.insert(early)
    found = await stores.jobs.changed_since("a", early.updated_at, 10)
    assert [j.id for j in found] == [early.id]
    assert [e.seq for e in found[0].events] == [1]
    assert await stores.jobs.changed_since("b", early.updated_at, 10) == []
    assert await stores.jobs.changed_since("a", datetime(2100, 1, 1, tzinfo=UTC), 10) == []


async def test_the_fleet_forgets_who_is_silent(stores: Stores) -> None:
    member = FleetMember(
        id="w1", service=Service.WORKER, host="h", pid=1, version="0", started_at=CLOCK.now(), slots=2,
        assignment={"topic.with.dots": (0, 3)},
        facts=Facts(
            versions={"opencv-python-headless": "5.0"},
            worker=WorkerFacts(
                slots=(SlotFacts(state=SlotState.BUSY, job_id="j", busy_since=CLOCK.now()),),
                work={"a": WorkTally(completed=1, seconds=0.5)},
            ),
        ),
    )  # fmt: skip
    await stores.fleet.announce(member)
    (found,) = await stores.fleet.live()
    assert found.model_copy(update={"seen_at": None}) == member
    async with asyncio.timeout(5):
        while await stores.fleet.live():
            await asyncio.sleep(0.02)
    await stores.fleet.announce(member)
    await stores.fleet.leave("w1")
    assert await stores.fleet.live() == []


async def test_the_last_sign_of_life_of_a_pipeline(stores: Stores) -> None:
    member = FleetMember(
        id="w1", service=Service.WORKER, host="h", pid=1, version="0", started_at=CLOCK.now(),
        pipelines=("a", "b"),
    )  # fmt: skip
    assert await stores.fleet.last_seen() == {}
    await stores.fleet.announce(member)
    await stores.fleet.announce(member.model_copy(update={"id": "w2", "pipelines": ("b", "c")}))
    await stores.fleet.announce(
        member.model_copy(update={"id": "g", "service": Service.GATEWAY, "pipelines": ()})
    )
    seen = await stores.fleet.last_seen()
    assert set(seen) == {"a", "b", "c"}
    assert seen["a"] <= seen["b"] == seen["c"]
    assert seen["a"].tzinfo is not None
    async with asyncio.timeout(5):
        while await stores.fleet.live():
            await asyncio.sleep(0.02)
    assert await stores.fleet.last_seen() == seen, "who is silent is not forgotten at once"
    await stores.fleet.leave("w2")
    assert set(await stores.fleet.last_seen()) == {"a", "b"}


async def test_offers_are_kept_by_name(stores: Stores) -> None:
    info = PipelineInfo(name="p", version="1", display_name="P", description="d", config_schema={"$defs": {}})
    await stores.fleet.offer([PipelineOffer(id="p", info=info)])
    await stores.fleet.offer([PipelineOffer(id="p", info=info, available=False, reason="no model")])
    (found,) = await stores.fleet.offers()
    assert (found.available, found.reason, found.info) == (False, "no model", info)


async def test_what_an_api_key_uses_is_counted(stores: Stores) -> None:
    made = [job().model_copy(update={"key_id": key_id}) for key_id in ("k", "k", "k", "other", None)]
    for one in made:
        await stores.jobs.insert(one)
    assert await stores.jobs.active_of_key("k") == 3
    assert await stores.jobs.bytes_of_key("k") == 3 * MEDIA.size_bytes
    assert (await stores.jobs.active_of_key("none"), await stores.jobs.bytes_of_key("none")) == (0, 0)
    await transact(stores.jobs, made[0].id, lambda current: jobs_machine.request_cancel(current, CLOCK.now()))
    assert await stores.jobs.active_of_key("k") == 2
    assert await stores.jobs.bytes_of_key("k") == 3 * MEDIA.size_bytes
