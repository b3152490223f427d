"""Work beside the main task: never silent in its failure, never alive after a cancel, never cut half way."""

from __future__ import annotations

import asyncio

import pytest

from frameloom.common.background import cancelled, in_background, set_within, uncut


class BrokenError(Exception):
    """What the work dies of."""


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_work_runs_beside_the_block_and_ends_with_it() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5), in_background(work(), "w"):
        await began.wait()
        assert not ended.is_set()
    assert ended.is_set()


async def test_work_that_dies_ends_the_block_with_its_exception() -> None:
    async def work() -> None:
        raise BrokenError

    async with asyncio.timeout(5):
        with pytest.raises(BrokenError):
            async with in_background(work(), "w"):
                await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the cancellation that carried it must be taken back"


async def test_a_dying_outer_work_ends_the_innermost_block() -> None:
    die = asyncio.Event()

    async def mortal() -> None:
        await die.wait()
        raise BrokenError

    async def block() -> None:
        async with in_background(mortal(), "outer"), in_background(for_ever(), "inner"):
            die.set()
            await for_ever()

    async with asyncio.timeout(5):
        with pytest.raises(BrokenError):
            await block()


async def test_a_cancel_of_the_block_stays_a_cancel() -> None:
    inside = asyncio.Event()

    async def block() -> None:
        async with in_background(for_ever(), "w"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_exception_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(BrokenError):
        async with in_background(for_ever(), "w"):
            raise BrokenError


async def test_a_task_that_swallows_a_cancellation_is_asked_again() -> None:
    swallowed = asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await cancelled(task)
    assert swallowed.is_set()
    assert task.cancelled()


async def test_cancelled_keeps_what_a_task_raised_to_itself() -> None:
    async def failing() -> None:
        raise BrokenError

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await cancelled(task, task)
    assert isinstance(task.exception(), BrokenError)


async def test_set_within_tells_whether_the_event_came() -> None:
    event = asyncio.Event()
    assert not await set_within(event, 0.01)
    asyncio.get_running_loop().call_soon(event.set)
    assert await set_within(event, 5)
    assert await set_within(event, 0)


async def test_a_cancel_that_comes_together_with_the_event_is_not_swallowed() -> None:
    event = asyncio.Event()
    task = asyncio.create_task(set_within(event, 5))
    await asyncio.sleep(0)
    event.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_uncut_work_ends_before_the_cancellation_shows() -> None:
    steps: list[str] = []
    go, began = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        await go.wait()
        steps.append("work")

    async def caller() -> None:
        try:
            await uncut(work())
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise

    task = asyncio.create_task(caller())
    await began.wait()
    for _ in range(3):  # as often as somebody asks
        task.cancel()
        await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["work", "cancelled"]


async def test_uncut_gives_back_what_the_work_gives_or_raises() -> None:
    async def answer() -> int:
        return 42

    async def failing() -> int:
        raise BrokenError

    assert await uncut(answer()) == 42
    with pytest.raises(BrokenError):
        await uncut(failing())
