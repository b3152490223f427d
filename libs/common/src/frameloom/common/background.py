"""Work beside a service's main task, which can not fail in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog

from frameloom.common.errors import TransientError

_ASK_AGAIN_SECONDS = 0.2
log = structlog.get_logger(__name__)
T = TypeVar("T")


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Runs ``work`` while the block runs, and cancels it at the end.

    If it raises, the block is cancelled and the exception comes out of it: a dispatcher or sweeper that has
    died must take its service down, where somebody starts it again.
    """
    parent = asyncio.current_task()
    assert parent is not None
    task = asyncio.create_task(work, name=name)
    leaving = False

    def ended(done: asyncio.Task[None]) -> None:
        if not leaving and not done.cancelled() and done.exception() is not None:
            parent.cancel()

    task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if task.done() and not task.cancelled() and (failure := task.exception()) is not None:
            parent.uncancel()
            raise failure from None
        raise
    finally:
        leaving = True
        await cancelled(task)


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancels tasks and returns when all have ended; what they raise is theirs.

    Asks again until they have: on Python 3.11 a library that waits by ``asyncio.wait_for`` loses a
    cancellation which comes together with its answer, and then the task goes on as if nobody had asked.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_ASK_AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # taken, so that nobody complains of it at the end


async def uncut(work: Coroutine[Any, Any, T]) -> T:
    """Runs work that must not stop half way; a cancellation that comes meanwhile is raised at its end.

    For a few writes that belong together, such as a claim and the start of what was claimed. The work must
    be bounded in time by itself.
    """
    task = asyncio.ensure_future(work)
    asked: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            asked = error
    if asked is not None:
        raise asked from (None if task.cancelled() else task.exception())
    return task.result()


async def repeatedly(step: Callable[[], Awaitable[object]], every_seconds: float, fault: str) -> None:
    """Runs ``step`` at once and then regularly, for ever.

    A dependency that does not answer is told in the log as ``fault`` and asked again the next time; any
    other exception comes out.
    """
    while True:
        try:
            await step()
        except TransientError as error:
            log.warning(fault, reason=str(error))
        await asyncio.sleep(every_seconds)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event, but not longer than this; whether it is set.

    Not ``asyncio.wait_for``: on Python 3.11 that one swallows a cancellation which comes together with the
    event, and the loop around it would never end.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
