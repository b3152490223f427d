"""What lies in quarantine for too long goes; what is fresh, and everything elsewhere, stays."""

from __future__ import annotations

from datetime import timedelta

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.clock import ManualClock, new_id
from frameloom.common.layout import media, quarantine_of, quarantined
from frameloom.results.quarantine import QuarantineSweeper

HOUR = timedelta(hours=1)


async def test_only_what_is_old_and_in_quarantine_goes() -> None:
    clock = ManualClock()
    objects = MemoryObjectStore(clock)
    left, fresh, kept = new_id(), new_id(), new_id()
    old = [f"{quarantine_of(left)}part-1", quarantined(left)]
    for key in (*old, media(kept)):
        await objects.put(key, b"x", "video/mp4")
    sweeper = QuarantineSweeper(objects, HOUR, clock)
    assert await sweeper.sweep() == []

    clock.advance(HOUR.total_seconds() + 1)
    await objects.put(quarantined(fresh), b"x", "video/mp4")
    assert await sweeper.sweep() == sorted(old)
    assert await objects.keys("") == sorted([media(kept), quarantined(fresh)])


async def test_what_is_examined_meanwhile_is_no_error() -> None:
    class Moving(MemoryObjectStore):
        async def keys(self, prefix: str) -> list[str]:
            found = await super().keys(prefix)
            self.held.clear()
            return found

    clock = ManualClock()
    objects = Moving(clock)
    await objects.put(quarantined(new_id()), b"x", "video/mp4")
    clock.advance(HOUR.total_seconds() + 1)
    assert await QuarantineSweeper(objects, HOUR, clock).sweep() == []
