"""From the last chunk to the visible result: once, whole, and only for the epoch that holds the task."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.documents import Failure, FailureCategory, Outcome, Segment, TaskState
from frameloom.common.errors import BrokerUnavailableError, StorageUnavailableError
from frameloom.common.events import Event, TaskChanged
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.publishing import Manifest

CRASH = Failure(category=FailureCategory.WORKER_CRASH, message="gone")


async def test_a_finished_epoch_becomes_visible_whole(world: Any) -> None:
    event = await world.handed_over({"id": 1}, {"id": 2})
    await world.finisher.finish(event)
    task = world.task()
    assert task.state is TaskState.COMPLETED
    assert task.result.annotation_count == 2
    (artefact,) = task.result.artefacts
    body, media_type = world.objects.held[artefact.key]
    assert json.loads(body)["annotations"] == [{"id": 1}, {"id": 2}]
    assert (artefact.filename, media_type) == ("my clip_a.json", "application/json")
    assert (artefact.size_bytes, artefact.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    manifest = Manifest.model_validate_json(world.objects.held[task.result.manifest_key][0])
    assert manifest.artefacts == task.result.artefacts
    assert manifest.epoch == 1


async def test_the_scheduler_is_woken(world: Any) -> None:
    await world.finisher.finish(await world.handed_over({}))
    (told,) = world.publisher.on("wake")
    assert isinstance(told, TaskChanged)
    assert told.state == "completed"


async def test_told_again_nothing_visible_changes(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    await world.finisher.finish(event)
    before, kept = world.task(), world.keys("results/")
    await world.finisher.finish(event)
    assert world.task() == before
    assert world.keys("results/") == kept
    assert len(kept) == 2


async def test_told_twice_at_once_one_result_stays_whole(world: Any) -> None:
    """After a rebalance two services may assemble the same epoch side by side."""

    class Slow(MemoryObjectStore):
        """Lets the other side in at every step."""

        async def put_file(self, key: str, path: Path, content_type: str) -> None:
            await asyncio.sleep(0)
            await super().put_file(key, path, content_type)
            await asyncio.sleep(0)

    world.objects = Slow()
    event = await world.handed_over({"id": 1}, {"id": 2})
    await asyncio.gather(*(world.finisher.finish(event) for _ in range(3)))
    task = world.task()
    assert task.state is TaskState.COMPLETED
    assert [a.outcome for a in task.attempts] == [Outcome.COMPLETED]
    assert world.keys("results/") == sorted([task.result.manifest_key, task.result.artefacts[0].key])
    assert len(world.publisher.sent) == 1


async def test_one_that_is_slower_than_the_tidying_does_no_harm(world: Any) -> None:
    """The other side has finished, and the chunks are gone in the middle of our reading."""
    event = await world.handed_over({"id": 1}, {"id": 2})
    slow = world.finisher
    real = world.objects.read
    reads = 0

    async def read(key: str, **more: object) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            world.objects.read = real
            await world.finisher.finish(event)
            await world.chunks.delete("chunks/")
        async for block in real(key, **more):
            yield block

    world.objects.read = read
    await slow.finish(event)
    task = world.task()
    assert task.state is TaskState.COMPLETED
    assert set(world.keys("results/")) == {task.result.manifest_key, task.result.artefacts[0].key}


async def test_missing_chunks_fail_the_attempt_and_it_is_tried_again(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    await world.finisher.finish(event.model_copy(update={"chunks": 3}))
    task = world.task()
    assert (task.state, task.attempt, task.result) == (TaskState.QUEUED, 2, None)
    assert task.attempts[0].failure.category is FailureCategory.WORKER_PROTOCOL
    assert world.keys("results/") == []


async def test_a_stale_epoch_shows_nothing_and_leaves_nothing(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    task = world.task()
    await world.write(task, "fail", failure=CRASH, epoch=1, now=world.clock.now())
    world.clock.advance(60)
    current = await world.claim()
    await world.chunks.put(world.chunk(current, 0, {"id": 9}))
    await world.finisher.finish(event)
    assert world.task() == current
    assert world.keys("results/") == []
    assert world.keys("chunks/") == [f"chunks/j/{current.id}/000002/00000000.jsonl.gz"]


async def test_an_epoch_that_lost_its_task_while_it_was_assembled_shows_nothing(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    real = world.objects.put

    async def put(key: str, body: bytes, content_type: str) -> None:
        await real(key, body, content_type)
        task = world.task()
        await world.write(task, "fail", failure=CRASH, epoch=1, now=world.clock.now())

    world.objects.put = put
    await world.finisher.finish(event)
    assert (world.task().state, world.task().result) == (TaskState.QUEUED, None)
    assert world.keys("results/") + world.keys("chunks/") == []


async def test_an_attempt_given_up_after_its_message_went_out_shows_nothing(world: Any) -> None:
    """The broker had the message, but told the worker that it had not."""
    event = await world.handed_over({"id": 1})
    await world.write(world.task(), "fail", failure=CRASH, epoch=1, now=world.clock.now())
    await world.finisher.finish(event)
    assert (world.task().state, world.task().result) == (TaskState.QUEUED, None)
    assert world.keys("results/") == []


async def test_a_cancel_that_came_too_late_for_the_worker_ends_the_task(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    await world.write(world.task(), "request_cancel", now=world.clock.now())
    await world.finisher.finish(event)
    assert (world.task().state, world.task().result) == (TaskState.CANCELLED, None)
    assert world.keys("results/") + world.keys("chunks/") == []


async def test_a_cancel_during_the_assembly_wins(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    real = world.objects.put

    async def put(key: str, body: bytes, content_type: str) -> None:
        await real(key, body, content_type)
        await world.write(world.task(), "request_cancel", now=world.clock.now())

    world.objects.put = put
    await world.finisher.finish(event)
    assert (world.task().state, world.task().result) == (TaskState.CANCELLED, None)
    assert world.keys("results/") + world.keys("chunks/") == []


async def test_a_deleted_job_leaves_no_chunks(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    world.tasks.held.clear()
    await world.finisher.finish(event)
    assert world.keys("chunks/") + world.keys("results/") == []


async def test_a_store_that_is_away_is_told_and_the_next_try_succeeds(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    real = world.objects.put

    async def away(*_: object) -> None:
        raise StorageUnavailableError("away")

    world.objects.put = away
    with pytest.raises(StorageUnavailableError):
        await world.finisher.finish(event)
    assert world.task().state is TaskState.FINALIZING
    world.objects.put = real
    await world.finisher.finish(event)
    assert world.task().state is TaskState.COMPLETED


async def test_a_wake_up_that_can_not_be_sent_leaves_the_result_visible(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    real = world.publisher.publish

    async def away(event: Event, topic: str, *, partition: int | None = None) -> None:
        raise BrokerUnavailableError("away")

    world.publisher.publish = away
    with pytest.raises(BrokerUnavailableError):
        await world.finisher.finish(event)
    world.publisher.publish = real
    await world.finisher.finish(event)
    task = world.task()
    assert task.state is TaskState.COMPLETED
    assert task.pending_fold, "the scheduler's sweep finds it"
    assert task.result.artefacts[0].key in world.objects.held


async def test_each_artefact_counts_its_own_list(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {"id": 1}, {"id": 2}))
    await world.chunks.put(world.chunk(task, 1, {"id": 3}, name="cues"))
    await world.write(task, "finish", epoch=1)
    specs = (
        ArtefactSpec(suffix="_a.json", lists=("annotations",)),
        ArtefactSpec(suffix="_b.json", lists=("cues",), counted="cues"),
    )
    await world.finisher.finish(world.finished(task, 2, *specs))
    result = world.task().result
    assert [a.annotation_count for a in result.artefacts] == [2, 1]
    assert result.annotation_count == 3
    assert len({a.key for a in result.artefacts}) == 2


async def as_segment(world: Any, *rows: dict[str, Any]) -> Any:
    """A finished epoch of a segment; the pipeline's own files of that epoch are there already."""
    event = await world.handed_over(*rows)
    task = world.task()
    segment = Segment(index=0, count=2, begin_seconds=0.0, end_seconds=5.0)
    world.tasks.held[task.id] = task.model_copy(update={"segment": segment})
    world.objects.held["results/j/a/000001/artefact_a.json"] = (b"whole", "application/json")
    return event


async def test_the_result_of_a_segment_is_its_rows(world: Any) -> None:
    event = await as_segment(world, {"id": 1}, {"id": 2})
    await world.finisher.finish(event)
    task = world.task()
    assert task.state is TaskState.COMPLETED
    assert (task.result.artefacts, task.result.annotation_count, task.result.chunks) == ((), 0, 2)
    assert world.keys("results/") == ["results/j/a/000001/artefact_a.json"], "no file, no manifest"
    assert len(world.keys("chunks/")) == 2
    await world.finisher.finish(event)
    assert len(world.keys("chunks/")) == 2, "told twice: the stitch still needs them"


async def test_a_segment_without_all_its_rows_is_tried_again(world: Any) -> None:
    event = await as_segment(world, {"id": 1})
    await world.finisher.finish(event.model_copy(update={"chunks": 3}))
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 2)


async def test_a_stale_segment_removes_nothing_of_its_pipeline(world: Any) -> None:
    event = await as_segment(world, {"id": 1})
    await world.finisher.finish(event.model_copy(update={"epoch": 0}))
    assert world.keys("results/") == ["results/j/a/000001/artefact_a.json"]
