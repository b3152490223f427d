"""Tidying: what is visible stays, the rest goes, and one bad object holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from frameloom.common.documents import Failure, FailureCategory, TaskState
from frameloom.common.errors import StorageUnavailableError


def failure(category: str) -> Failure:
    return Failure(category=FailureCategory(category), message="m")


async def failed(world: Any, pipeline: str, category: str) -> None:
    task = world.task("j", pipeline)
    if task.state is TaskState.QUEUED:
        task = await world.claim("j", pipeline)
    await world.write(task, "fail", failure=failure(category), epoch=task.epoch, now=world.clock.now())
    assert world.task("j", pipeline).state is TaskState.FAILED


async def test_only_the_visible_result_and_the_media_stay(world: Any) -> None:
    await world.finisher.finish(await world.handed_over({"id": 1}))
    result = world.task().result
    for key in ("results/j/a/000000/artefact_a.json", "results/j/a/0000010/x", "chunks/j/other/000009/0"):
        world.objects.held[key] = (b"", "")
    world.objects.held["results/j2/a/000001/manifest.json"] = (b"", "")
    world.objects.held["chunks/jj/t/000001/0"] = (b"", "")
    await world.end("completed")
    assert await world.tidier.tidy(world.job())
    assert world.keys() == sorted(
        [
            "chunks/jj/t/000001/0",
            "media/j/source",
            "results/j2/a/000001/manifest.json",
            result.manifest_key,
            *(a.key for a in result.artefacts),
        ]
    )
    assert world.job().tidied


async def test_a_job_with_a_task_that_still_runs_waits(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {}))
    await world.end("cancelled")
    assert not await world.tidier.tidy(world.job())
    assert world.keys("chunks/")
    assert not world.job().tidied


@pytest.mark.parametrize(
    ("categories", "goes"),
    [
        (("decode_error", "parse_error"), True),
        (("decode_error", "input_missing"), False),
        (("validation", "validation"), False),
    ],
)
async def test_media_go_only_when_no_pipeline_could_read_them(
    world: Any, categories: tuple[str, str], goes: bool
) -> None:
    await world.running(pipelines=("a", "b"))
    for pipeline, category in zip("ab", categories, strict=True):
        await failed(world, pipeline, category)
    await world.end("failed")
    await world.tidier.tidy(world.job())
    assert ("media/j/source" not in world.objects.held) is goes


async def test_media_of_a_job_without_tasks_stay(world: Any) -> None:
    await world.running()
    world.tasks.held.clear()
    await world.end("cancelled")
    await world.tidier.tidy(world.job())
    assert "media/j/source" in world.objects.held


async def test_tidying_twice_is_no_fault(world: Any) -> None:
    await world.finisher.finish(await world.handed_over({"id": 1}))
    await world.end("completed")
    stale = world.job()
    await world.tidier.tidy(stale)
    kept = world.keys()
    assert await world.tidier.tidy(stale)
    assert world.keys() == kept


async def test_an_object_that_can_not_be_removed_holds_up_no_other_job(world: Any) -> None:
    for job_id in ("stuck", "free"):
        task = await world.running(job_id)
        await world.chunks.put(world.chunk(task, 0, {}))
        await world.write(task, "request_cancel", now=world.clock.now())
        await world.write(task, "cancel", epoch=1, now=world.clock.now())
        await world.end("cancelled", job_id)
    real = world.objects.delete

    async def delete(keys: Sequence[str]) -> None:
        if any("stuck" in key for key in keys):
            raise StorageUnavailableError("Could not remove it: AccessDenied")
        await real(keys)

    world.objects.delete = delete
    await world.tidier.sweep()
    assert (world.job("stuck").tidied, world.job("free").tidied) == (False, True)


async def test_tidying_goes_on_after_the_database_was_away(world: Any) -> None:
    await world.finisher.finish(await world.handed_over({"id": 1}))
    await world.end("completed")
    real = world.jobs.untidied
    asked = 0
    again = asyncio.Event()

    async def untidied(limit: int) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StorageUnavailableError("away")
        if asked == 3:
            again.set()
        return await real(limit)

    world.jobs.untidied = untidied
    async with asyncio.timeout(5), world.tidier.running():
        await again.wait()
    assert world.job().tidied
    assert world.keys("chunks/") == []
