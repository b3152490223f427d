"""Clients that are slow: told after a while, and not for what is not their fault."""

from __future__ import annotations

import asyncio

import pytest

from frameloom.gateway.errors import UploadTimeoutError
from frameloom.gateway.http.pacing import Pace, Stopwatch

PACE = Pace(idle_seconds=0.2, min_bytes_per_second=1000, grace_seconds=0.05, max_seconds=10)


async def received(stopwatch: Stopwatch, size: int, after: float) -> None:
    async with stopwatch.waiting():
        await asyncio.sleep(after)
    stopwatch.count(size)


async def test_a_steady_client_is_let_be() -> None:
    stopwatch = Stopwatch(PACE)
    for _ in range(5):
        await received(stopwatch, 10_000, 0.02)


async def test_a_silent_client_is_told() -> None:
    with pytest.raises(UploadTimeoutError, match="Nothing was received"):
        await received(Stopwatch(PACE), 10, 5)


async def test_a_dripping_client_is_told_after_the_grace() -> None:
    stopwatch = Stopwatch(PACE)
    await received(stopwatch, 1, 0.01)
    with pytest.raises(UploadTimeoutError, match="Only 2 bytes were received") as caught:
        await received(stopwatch, 1, 0.1)
    assert caught.value.detail == {"min_bytes_per_second": 1000}


async def test_a_slow_beginning_is_made_up_for() -> None:
    stopwatch = Stopwatch(PACE)
    await received(stopwatch, 100_000, 0.01)
    await received(stopwatch, 1, 0.1)


async def test_what_storing_takes_is_not_the_clients_fault() -> None:
    stopwatch = Stopwatch(PACE)
    await received(stopwatch, 1, 0.001)
    await asyncio.sleep(0.3)
    await received(stopwatch, 1, 0.001)


async def test_an_upload_has_an_end() -> None:
    pace = Pace(idle_seconds=5, min_bytes_per_second=0, grace_seconds=0, max_seconds=0.1)
    stopwatch = Stopwatch(pace)
    await received(stopwatch, 10**9, 0.01)
    with pytest.raises(UploadTimeoutError, match="takes longer than"):
        await received(stopwatch, 10**9, 5)
