"""Long media: planned in segments, stitched when these are done, given up when one of them fails."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from frameloom.common.cas import transact
from frameloom.common.clock import segment_task_id, task_id
from frameloom.common.documents import (
    Failure,
    FailureCategory,
    JobStatus,
    MediaFacts,
    MediaRef,
    PipelineOffer,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.events import TaskChanged, TaskGivenUp
from frameloom.common.machines import job as jobs_machine
from frameloom.common.pipelines import PipelineInfo, Segmentation
from frameloom.scheduler.segmentations import Segmentations

BROKEN = Failure(category=FailureCategory.DECODE_ERROR, message="The video is damaged.")
INFO = PipelineInfo(name="a", version="1", display_name="A", description="A")


async def submitted(world: Any, seconds: float = 900.0) -> None:
    """A job whose pipeline works in three segments, and one that does not."""
    await world.fleet.offer(
        [
            PipelineOffer(id="a", info=INFO, segmentation=Segmentation()),
            PipelineOffer(id="b", info=INFO.model_copy(update={"name": "b"})),
        ]
    )
    media = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")
    facts = MediaFacts(container="mov,mp4", duration_seconds=seconds)
    submission = jobs_machine.Submission("j", "t", media, ("a", "b"), {}, facts=facts)
    await world.jobs.insert(jobs_machine.submit(submission, world.clock.now()))


async def planned(world: Any) -> None:
    await submitted(world)
    assert await world.planner.plan("j")


def piece(world: Any, index: int) -> TaskDocument:
    return world.tasks.held[segment_task_id("j", "a", index, 3)]  # type: ignore[no-any-return]


async def claim(world: Any, task: TaskDocument) -> TaskDocument:
    decide = partial(world.machine.claim, attempt=task.attempt, worker="w", now=world.clock.now())
    return await transact(world.tasks, task.id, decide)


async def complete(world: Any, index: int) -> None:
    task = await claim(world, piece(world, index))
    result = TaskResult(epoch=task.epoch, manifest_key="", artefacts=(), annotation_count=0, chunks=index + 1)
    await transact(
        world.tasks, task.id, partial(world.machine.complete, result=result, now=world.clock.now())
    )


async def fail(world: Any, index: int) -> None:
    task = await claim(world, piece(world, index))
    now = world.clock.now()
    decide = partial(world.machine.fail, failure=BROKEN, epoch=task.epoch, now=now)
    await transact(world.tasks, task.id, decide)


async def test_one_task_per_segment_and_one_that_waits_for_them(world: Any) -> None:
    await planned(world)
    assert world.task().state is TaskState.WAITING
    assert world.task().waits_for == tuple(piece(world, n).id for n in range(3))
    assert [piece(world, n).segment.begin_seconds for n in range(3)] == [0.0, 300.0, 600.0]
    assert len(world.tasks.held) == 5
    assert [summary.pipeline for summary in world.job().tasks] == ["a", "b"]
    assert len(world.job().segments) == 3


async def test_short_media_stay_whole_and_no_offer_is_read_for_them(world: Any) -> None:
    world.settings = world.settings.model_copy(update={"segment_above_seconds": 900.0})
    await submitted(world)
    assert await world.planner.plan("j")
    assert set(world.tasks.held) == {task_id("j", "a"), task_id("j", "b")}
    segmentations = Segmentations(world.fleet, world.settings.segment_limits, world.clock)
    assert await segmentations.of(world.job()) == {}


async def test_what_waits_is_neither_dispatched_nor_claimed(world: Any) -> None:
    await planned(world)
    await world.worker(slots=9, pipelines=("a",))
    await world.dispatcher.dispatch()
    sent = {event.task_id for event in world.publisher.on(world.topics.tasks("a"))}
    assert sent == {piece(world, n).id for n in range(3)}


async def test_the_stitch_goes_when_its_segments_are_done_and_knows_where_their_rows_lie(world: Any) -> None:
    await planned(world)
    for index in (2, 0):
        await complete(world, index)
        assert not await world.folder.fold("j")
    assert world.task().state is TaskState.WAITING
    await complete(world, 1)
    assert await world.folder.fold("j"), "something can be dispatched"
    stitch = world.task()
    assert stitch.state is TaskState.QUEUED
    assert [(part.task_id, part.chunks) for part in stitch.parts] == [
        (piece(world, n).id, n + 1) for n in range(3)
    ]
    assert not world.job().status.terminal


async def test_the_end_of_the_last_segment_wakes_the_dispatcher(world: Any) -> None:
    await planned(world)
    for index in range(3):
        await complete(world, index)
    handlers = world.handlers
    await handlers.on_task_changed(TaskChanged.of(piece(world, 2)))
    assert world.task().state is TaskState.QUEUED


async def test_a_segment_that_fails_ends_its_pipeline_and_stops_the_others(world: Any) -> None:
    await planned(world)
    running = await claim(world, piece(world, 0))
    await fail(world, 1)
    await world.folder.fold("j")
    stitch = world.task()
    assert stitch.state is TaskState.FAILED
    assert stitch.failure.message == "Segment 2 of 3: The video is damaged."
    assert stitch.failure.category is FailureCategory.DECODE_ERROR
    assert world.tasks.held[running.id].cancel_requested
    assert piece(world, 2).state is TaskState.CANCELLED
    (letter,) = world.publisher.on(world.topics.dead_letters)
    assert isinstance(letter, TaskGivenUp)
    assert letter.task_id == stitch.id, "one letter for the pipeline"
    summary = next(one for one in world.job().tasks if one.pipeline == "a")
    assert summary.state is TaskState.FAILED
    assert not world.job().status.terminal, "the other pipeline goes on"


async def test_a_scheduler_that_dies_before_the_stitch_goes_is_made_up_for(world: Any) -> None:
    await planned(world)
    for index in range(3):
        await complete(world, index)

    async def dies(job_id: str) -> bool:
        raise ConnectionError(job_id)

    folder = world.folder
    folder._stitches.advance = dies
    with pytest.raises(ConnectionError):
        await folder.fold("j")
    assert world.task().state is TaskState.WAITING
    await world.folder.sweep()
    assert world.task().state is TaskState.QUEUED


async def test_a_cancelled_job_takes_what_waits_with_it(world: Any) -> None:
    await planned(world)
    await world.cancel()
    assert await world.canceller.cancel_if_over("j")
    assert {task.state for task in world.tasks.held.values()} == {TaskState.CANCELLED}
    assert world.job().status is JobStatus.CANCELLED
    await world.folder.sweep()
    assert world.job().status is JobStatus.CANCELLED


async def test_planning_again_with_other_segments_leaves_the_first_plan_in_force(world: Any) -> None:
    """A scheduler died between its two writes, and the operator changed the length meanwhile."""
    await submitted(world)
    job = world.job()
    wanted = {"a": Segmentation(seconds=450)}
    await world.tasks.insert_missing(jobs_machine.plan_tasks(job, world.clock.now(), wanted))
    assert await world.planner.plan("j")
    assert len(world.task().waits_for) == 2
    for key in world.task().waits_for:
        task = await claim(world, world.tasks.held[key])
        result = TaskResult(epoch=1, manifest_key="", artefacts=(), annotation_count=0)
        decide = partial(world.machine.complete, result=result, now=world.clock.now())
        await transact(world.tasks, task.id, decide)
    await world.folder.fold("j")
    assert world.task().state is TaskState.QUEUED
