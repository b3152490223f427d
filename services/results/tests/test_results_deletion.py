"""Deleting for good: bytes when nothing runs, documents a while later, each step repeatable after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from frameloom.common.cas import transact
from frameloom.common.documents import JobStatus, TaskState
from frameloom.common.errors import ConfigurationError, StorageUnavailableError
from frameloom.common.machines import job as jobs_machine
from frameloom.common.settings import load
from frameloom.results.deletion import Purger, Retention
from frameloom.results.settings import ResultsSettings

KEPT = 100.0
DAY = timedelta(days=1)


def purger(world: Any) -> Purger:
    return Purger(world.jobs, world.tasks, world.objects, after_seconds=KEPT, every_seconds=0.01)


async def delete(world: Any, job_id: str = "j") -> None:
    await transact(world.jobs, job_id, partial(jobs_machine.delete, now=world.clock.now()))


async def stopped(world: Any, job_id: str = "j", pipeline: str = "a") -> None:
    """The running task is asked to end, and its worker has ended it."""
    task = world.task(job_id, pipeline)
    await world.write(task, "request_cancel", now=world.clock.now())
    await world.write(task, "cancel", epoch=task.epoch, now=world.clock.now())


async def told(world: Any) -> None:
    """Every event is in Kafka."""
    await world.jobs.mark_relayed([(job.id, job.seq) for job in world.jobs.held.values()])


async def running_with_a_chunk(world: Any, job_id: str = "j") -> Any:
    task = await world.running(job_id)
    await world.chunks.put(world.chunk(task, 0, {"id": 1}))
    return task


async def test_of_a_deleted_job_everything_goes_once_nothing_runs(world: Any) -> None:
    await world.finisher.finish(await world.handed_over({"id": 1}))
    await running_with_a_chunk(world, "jj")
    kept = world.keys("media/jj/") + world.keys("chunks/jj/")
    await world.end("completed")
    await world.tidier.tidy(world.job())
    await delete(world)
    await world.tidier.sweep()
    assert world.keys() == sorted(kept), "nothing of the deleted job, all of the other"
    assert world.job().tidied


async def test_while_a_task_of_it_runs_the_bucket_waits(world: Any) -> None:
    await running_with_a_chunk(world)
    await delete(world)
    await world.tidier.sweep()
    assert not world.job().tidied
    assert len(world.keys("chunks/j/")) == 1
    await stopped(world)
    await world.tidier.sweep()
    assert world.keys() == []


async def test_a_crash_between_sweeping_and_marking_costs_a_second_sweep_only(world: Any) -> None:
    await running_with_a_chunk(world)
    await delete(world)
    await stopped(world)
    real = world.jobs.apply

    async def crash(_: Any) -> Any:
        raise StorageUnavailableError("as if it had died here")

    world.jobs.apply = crash
    await world.tidier.sweep()
    world.jobs.apply = real
    assert (world.keys(), world.job().tidied) == ([], False)
    await world.tidier.sweep()
    assert world.job().tidied


async def test_documents_go_after_their_time_and_when_all_was_told(world: Any) -> None:
    await running_with_a_chunk(world)
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    world.clock.advance(KEPT + 1)
    await purger(world).sweep()
    assert world.job().status is JobStatus.DELETED, "its deletion is not in Kafka yet"
    await told(world)
    await purger(world).sweep()
    assert (world.jobs.held, world.tasks.held) == ({}, {})


async def test_before_its_time_a_tombstone_stays(world: Any) -> None:
    await world.running()
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    await told(world)
    world.clock.advance(KEPT - 1)
    await purger(world).sweep()
    assert world.job().status is JobStatus.DELETED
    assert len(world.tasks.held) == 1


async def test_a_crash_between_the_documents_leaves_the_one_that_tells_of_the_rest(world: Any) -> None:
    await world.running()
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    await told(world)
    world.clock.advance(KEPT + 1)
    real = world.jobs.remove

    async def crash(_: Any) -> bool:
        raise StorageUnavailableError("as if it had died here")

    world.jobs.remove = crash
    await purger(world).sweep()
    world.jobs.remove = real
    assert (len(world.jobs.held), world.tasks.held) == (1, {})
    await purger(world).sweep()
    assert world.jobs.held == {}


async def test_what_a_stalled_process_wrote_after_the_sweep_goes_with_the_documents(world: Any) -> None:
    task = await running_with_a_chunk(world)
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    await world.chunks.put(world.chunk(task, 1, {"id": 2}))
    await told(world)
    world.clock.advance(KEPT + 1)
    await purger(world).sweep()
    assert (world.keys(), world.jobs.held) == ([], {})


async def test_a_task_that_somebody_still_holds_keeps_the_documents(world: Any) -> None:
    """A scheduler that stood still has let one go out after the bucket was swept: it is ended first."""
    await world.running()
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    await told(world)
    world.clock.advance(KEPT + 1)
    task = world.task()
    world.tasks.held[task.id] = task.model_copy(update={"state": TaskState.RUNNING})
    assert not await purger(world).purge(world.job())
    assert len(world.tasks.held) == len(world.jobs.held) == 1


async def test_a_tombstone_that_changed_meanwhile_stays(world: Any) -> None:
    await world.running()
    await delete(world)
    await stopped(world)
    await told(world)
    assert not await purger(world).purge(world.job()), "not swept yet"
    await world.tidier.sweep()
    old = world.job()
    world.jobs.held["j"] = old.model_copy(update={"rev": old.rev + 1})
    assert not await purger(world).purge(old)
    assert "j" in world.jobs.held


async def test_one_that_can_not_be_purged_holds_up_no_other(world: Any) -> None:
    for job_id in ("stuck", "free"):
        await world.running(job_id)
        await delete(world, job_id)
        await stopped(world, job_id)
    await world.tidier.sweep()
    await told(world)
    world.clock.advance(KEPT + 1)
    real = world.objects.delete

    async def refusing(keys: Sequence[str]) -> None:
        if any("stuck" in key for key in keys):
            raise StorageUnavailableError("away")
        await real(keys)

    world.objects.delete = refusing
    await purger(world).sweep()
    assert set(world.jobs.held) == {"stuck"}


async def test_what_comes_late_changes_nothing(world: Any) -> None:
    """A chunk and an end of chunks, before and after the purge: as from a worker that had been frozen."""
    task = await world.running()
    chunk, end = world.chunk(task, 0, {"id": 1}), world.finished(task, 1)
    await delete(world)
    await stopped(world)
    await world.tidier.sweep()
    for purged in (False, True):
        await world.handlers.on_annotations(chunk)
        await world.handlers.on_annotations(end)
        assert world.keys() == []
        assert world.publisher.sent == []
        if not purged:
            await told(world)
            world.clock.advance(KEPT + 1)
            await purger(world).sweep()
            assert world.jobs.held == {}


async def test_a_result_assembled_while_its_job_was_deleted_and_purged_goes_again(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    real = world.tasks.apply

    async def purged_meanwhile(change: Any) -> Any:
        world.tasks.held.clear()
        world.jobs.held.clear()
        return await real(change)

    world.tasks.apply = purged_meanwhile
    await world.finisher.finish(event)
    assert world.keys("results/") == []
    assert world.keys("chunks/") == []


async def test_a_result_that_became_visible_before_its_task_heard_of_the_deletion_goes_too(
    world: Any,
) -> None:
    event = await world.handed_over({"id": 1})
    await delete(world)
    await world.finisher.finish(event)
    assert world.task().result is not None
    await world.tidier.sweep()
    assert world.keys() == []
    assert await world.jobs.get("j") is None


class TestRetention:
    async def over(self, world: Any, *names: str) -> None:
        for name in names:
            await world.running(name)
            await transact(world.jobs, name, partial(jobs_machine.request_cancel, now=world.clock.now()))

    async def test_what_has_been_over_for_long_is_deleted_and_told(self, world: Any) -> None:
        await self.over(world, "old")
        await world.running("at-work")
        world.clock.advance(2 * DAY.total_seconds())
        await self.over(world, "new")
        retention = Retention(world.jobs, DAY, world.clock)
        assert await retention.sweep() == 1
        assert await retention.sweep() == 0
        assert {name: job.status for name, job in world.jobs.held.items()} == {
            "old": JobStatus.DELETED,
            "at-work": JobStatus.PENDING,
            "new": JobStatus.CANCELLED,
        }
        last = world.job("old").events[-1]
        assert (last.type, last.data["cause"]) == ("job.deleted", "retention")
        assert world.job("old").relay_due

    async def test_many_are_deleted_in_one_round(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("frameloom.results.deletion._LIMIT", 2)
        await self.over(world, *(f"j{number}" for number in range(5)))
        world.clock.advance(2 * DAY.total_seconds())
        assert await Retention(world.jobs, DAY, world.clock).sweep() == 5

    @pytest.mark.parametrize("name", ["FRAMELOOM_RESULTS_RETENTION_DAYS", "STORAGE_RETENTION_DAYS"])
    def test_either_name_of_the_setting_is_read(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        assert load(ResultsSettings).retention_days is None
        monkeypatch.setenv(name, "")
        assert load(ResultsSettings).retention_days is None
        monkeypatch.setenv(name, "30")
        assert load(ResultsSettings).retention_days == 30
        monkeypatch.setenv(name, "0")
        with pytest.raises(ConfigurationError) as refused:
            load(ResultsSettings)
        assert refused.value.message.startswith(f"{name}: ")

    def test_our_name_goes_before_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_RETENTION_DAYS", "30")
        monkeypatch.setenv("FRAMELOOM_RESULTS_RETENTION_DAYS", "7")
        assert load(ResultsSettings).retention_days == 7
