"""A slot: a child that is warm, replaced when it is gone, and none left over when it can not start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from frameloom.common.documents import FailureCategory
from frameloom.worker.child.process import ChildDiedError, ChildProcess
from frameloom.worker.errors import TaskError
from frameloom.worker.slots import Slot

WAIT = 60.0


@pytest.fixture
async def slot() -> AsyncIterator[Slot]:
    made = Slot((), WAIT)
    try:
        yield made
    finally:
        await made.reset()


async def test_a_child_is_kept_warm_replaced_after_its_death_and_ended_by_a_reset(slot: Slot) -> None:
    first = await slot.child()
    assert {offer.id for offer in slot.offers} >= {"scene_detection", "face_analysis"}
    assert await slot.child() is first
    assert slot.pid == first.pid
    assert slot.started_in_seconds is not None
    assert slot.started_in_seconds > 0
    assert slot.versions["ffmpeg"]
    (faces,) = [offer for offer in slot.offers if offer.id == "face_analysis"]
    assert {model.name: len(model.sha256) for model in faces.models} == {"yunet": 64, "sface": 64}
    psutil.Process(first.pid).kill()
    with pytest.raises(ChildDiedError):
        async with asyncio.timeout(WAIT):
            await first.receive()
    second = await slot.child()
    assert second.pid != first.pid
    assert second.alive
    await slot.reset()
    assert not second.alive
    assert (slot.pid, slot.warm, slot.started_in_seconds) == (None, None, None)


async def test_a_child_that_is_not_ready_in_time_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ChildProcess] = []
    real = ChildProcess.start

    async def start() -> ChildProcess:
        started.append(await real())
        return started[-1]

    monkeypatch.setattr(ChildProcess, "start", start)
    slot = Slot((), 0.01)
    with pytest.raises(TaskError) as caught:
        await slot.child()
    assert caught.value.category is FailureCategory.WORKER_CRASH
    assert [child.alive for child in started] == [False]


async def test_a_system_that_starts_no_process_is_a_crash_and_not_a_riddle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(*_: object, **__: object) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    slot = Slot((), WAIT)
    with pytest.raises(TaskError) as caught:
        await slot.child()
    assert caught.value.category is FailureCategory.WORKER_CRASH


async def test_a_start_that_is_cancelled_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()
    children: list[ChildProcess] = []
    real = ChildProcess.start

    async def start() -> ChildProcess:
        children.append(await real())
        started.set()
        return children[-1]

    monkeypatch.setattr(ChildProcess, "start", start)
    starting = asyncio.create_task(Slot((), WAIT).child())
    async with asyncio.timeout(WAIT):
        await started.wait()
        starting.cancel()
        await asyncio.wait({starting})
    assert starting.cancelled()
    assert [child.alive for child in children] == [False]
