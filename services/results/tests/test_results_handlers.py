"""What arrives on the annotations topic: kept while it is wanted, dropped when it is stale."""

from __future__ import annotations

from typing import Any

from frameloom.common.documents import Failure, FailureCategory, TaskState

CRASH = Failure(category=FailureCategory.WORKER_CRASH, message="gone")


async def test_chunks_then_the_end_make_a_result(world: Any) -> None:
    task = await world.running()
    handlers = world.handlers
    for seq in range(2):
        await handlers.on_annotations(world.chunk(task, seq, {"seq": seq}))
    await world.write(task, "finish", epoch=1)
    await handlers.on_annotations(world.finished(task, 2))
    assert world.task().state is TaskState.COMPLETED
    assert world.task().result.annotation_count == 2


async def test_a_stale_workers_chunk_is_not_kept(world: Any) -> None:
    stale = await world.running()
    await world.write(stale, "fail", failure=CRASH, epoch=1, now=world.clock.now())
    world.clock.advance(60)
    await world.claim()
    await world.handlers.on_annotations(world.chunk(stale, 0, {}))
    assert world.keys("chunks/") == []


async def test_chunks_of_unknown_tasks_are_not_kept(world: Any) -> None:
    task = await world.running()
    world.tasks.held.clear()
    await world.handlers.on_annotations(world.chunk(task, 0, {}))
    assert world.keys("chunks/") == []


async def test_a_chunk_that_comes_after_its_task_has_ended_is_not_kept(world: Any) -> None:
    """The topic may lag behind: what came after the job was tidied would lie there for ever."""
    task = await world.running()
    handlers = world.handlers
    await handlers.on_annotations(world.chunk(task, 0, {}))
    await world.write(task, "request_cancel", now=world.clock.now())
    await world.write(task, "cancel", epoch=1, now=world.clock.now())
    await world.end("cancelled")
    await world.tidier.tidy(world.job())
    await handlers.on_annotations(world.chunk(task, 1, {}))
    assert world.keys("chunks/") == []


async def test_a_chunk_repeated_after_the_result_is_visible_is_not_kept(world: Any) -> None:
    event = await world.handed_over({"id": 1})
    handlers = world.handlers
    await handlers.on_annotations(event)
    await world.end("completed")
    await world.tidier.tidy(world.job())
    task = world.task()
    await handlers.on_annotations(world.chunk(task, 0, {"id": 1}))
    assert world.keys("chunks/") == []


async def test_chunks_that_come_while_the_task_is_handed_over_count(world: Any) -> None:
    """The document may be ahead of the topic."""
    task = await world.running()
    await world.write(task, "finish", epoch=1)
    handlers = world.handlers
    await handlers.on_annotations(world.chunk(task, 0, {"id": 1}))
    await handlers.on_annotations(world.finished(task, 1))
    assert world.task().result.annotation_count == 1
