"""Compare-and-set: decides on what is there, anew when it changed, and gives up in the end."""

from __future__ import annotations

from functools import partial

import pytest

from frameloom.common.adapters.memory import MemoryTaskStore
from frameloom.common.cas import ContendedError, transact
from frameloom.common.clock import ManualClock
from frameloom.common.documents import MediaRef, TaskDocument
from frameloom.common.errors import NotFoundError
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Change, Refused

MACHINE = TaskMachine(RetryPolicy(), 15, 60)
CLOCK = ManualClock()
MEDIA = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
TASK = TaskDocument(id="t", job_id="j", tenant="x", pipeline="a", media=MEDIA, created_at=CLOCK.now())
DISPATCH = partial(MACHINE.dispatch, now=CLOCK.now())


class CountingStore(MemoryTaskStore):
    """Counts reads, and writes something else before the first ``rivals`` writes."""

    def __init__(self, rivals: int = 0) -> None:
        super().__init__(CLOCK)
        self.reads = self.writes = 0
        self.rivals = rivals
        self.held["t"] = TASK

    async def get(self, key: str) -> TaskDocument | None:
        self.reads += 1
        return await super().get(key)

    async def apply(self, change: Change[TaskDocument]) -> TaskDocument | None:
        self.writes += 1
        if self.writes <= self.rivals:
            current = self.held["t"]
            self.held["t"] = current.model_copy(update={"rev": current.rev + 1, "priority": self.writes})
        return await super().apply(change)


async def test_a_known_copy_spares_the_read() -> None:
    store = CountingStore()
    after = await transact(store, "t", DISPATCH, known=TASK)
    assert (after.dispatches, store.reads, store.writes) == (1, 0, 1)


async def test_a_stale_copy_is_read_anew_and_the_rivals_change_is_kept() -> None:
    store = CountingStore(rivals=2)
    after = await transact(store, "t", DISPATCH, known=TASK)
    assert (after.dispatches, after.priority, after.rev) == (1, 2, 3)


async def test_what_the_machine_refuses_after_a_rival_is_refused() -> None:
    store = CountingStore()
    claim = partial(MACHINE.claim, attempt=1, worker="w", now=CLOCK.now())
    await transact(store, "t", claim)
    with pytest.raises(Refused):
        await transact(store, "t", claim, known=TASK)
    assert store.held["t"].epoch == 1


async def test_endless_contention_ends() -> None:
    store = CountingStore(rivals=10**6)
    with pytest.raises(ContendedError):
        await transact(store, "t", DISPATCH)
    assert store.writes < 100


async def test_a_document_that_is_not_there_or_goes_meanwhile_is_told() -> None:
    store = CountingStore()
    with pytest.raises(NotFoundError):
        await transact(store, "nobody", DISPATCH)
    del store.held["t"]
    with pytest.raises(NotFoundError):
        await transact(store, "t", DISPATCH, known=TASK)


async def test_a_guard_of_the_database_that_does_not_hold_refuses_at_once() -> None:
    store = CountingStore()
    running = MACHINE.claim(TASK, attempt=1, worker="w", now=CLOCK.now())
    store.held["t"] = running.before
    await store.apply(running)
    store.writes = 0
    with pytest.raises(Refused):
        await transact(store, "t", partial(MACHINE.expire, now=CLOCK.now()))
    assert store.writes == 1
