"""A value that is read at most so often, whoever asks and however long it takes."""

from __future__ import annotations

import asyncio

import pytest

from frameloom.common.errors import DatabaseUnavailableError
from frameloom.gateway.services.refreshed import NotReadError, Refreshed, or_none


class Source:
    """A value that counts how often it was read, and that a test holds back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.takes = 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: DatabaseUnavailableError | None = None

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        await self.gate.wait()
        self.now += self.takes
        if self.failure is not None:
            raise self.failure
        return number

    def kept(self, every_seconds: float = 10.0, patience_seconds: float = 5.0) -> Refreshed[int]:
        return Refreshed(
            self.read,
            every_seconds=every_seconds,
            patience_seconds=patience_seconds,
            monotonic=lambda: self.now,
        )


@pytest.fixture
def source() -> Source:
    return Source()


async def test_it_is_read_once_while_it_is_young(source: Source) -> None:
    kept = source.kept()
    assert (await kept.get()).value == 1
    source.now = 9.0
    found = await kept.get()
    assert (found.value, found.age_seconds) == (1, 9.0)
    source.now = 10.0
    assert (await kept.get()).value == 2


async def test_all_who_wait_share_one_reading(source: Source) -> None:
    source.gate.clear()
    kept = source.kept()
    waiting = [asyncio.create_task(kept.get()) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert {(await one).value for one in waiting[1:]} == {1}
    assert source.reads == 1


async def test_an_old_value_must_do_where_a_new_one_takes_too_long(source: Source) -> None:
    kept = source.kept(patience_seconds=0.01)
    await kept.get()
    source.now, source.gate = 20.0, asyncio.Event()
    found = await kept.get()
    assert (found.value, found.age_seconds) == (1, 20.0)
    source.gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await kept.get()).value == 2
    assert source.reads == 2


async def test_where_there_never_was_one_it_says_so(source: Source) -> None:
    source.gate.clear()
    kept = source.kept(patience_seconds=0.01)
    with pytest.raises(NotReadError):
        await kept.get()
    assert await or_none(kept) is None
    assert source.reads == 1
    source.gate.set()
    assert (await kept.get()).value == 1


async def test_a_fault_is_told_to_all_who_wait_and_tried_again_by_the_next(source: Source) -> None:
    source.gate.clear()
    source.failure = DatabaseUnavailableError("away")
    kept = source.kept()
    waiting = [asyncio.create_task(kept.get()) for _ in range(3)]
    await asyncio.sleep(0)
    source.gate.set()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, DatabaseUnavailableError) for end in ends)
    source.failure = None
    assert (await kept.get()).value == 2


async def test_what_takes_long_is_read_less_often(source: Source) -> None:
    kept = source.kept(every_seconds=1.0)
    source.takes = 4.0
    await kept.get()
    source.now += 39.0
    assert (await kept.get()).value == 1
    source.now += 1.0
    assert (await kept.get()).value == 2
