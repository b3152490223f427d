"""Media without a job: removed when it is old enough, never before, never with a job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from frameloom.common.adapters.memory import MemoryJobStore, MemoryObjectStore
from frameloom.common.clock import ManualClock, SystemClock, new_id
from frameloom.common.documents import MediaRef
from frameloom.common.machines import job as jobs_machine
from frameloom.results.orphans import OrphanSweeper, made_at

HOUR = timedelta(hours=1)


def test_a_job_id_tells_when_it_was_made() -> None:
    made = made_at(new_id())
    assert made is not None
    assert abs(datetime.now(UTC) - made) < timedelta(seconds=5)
    assert made_at("no id") is None
    assert made_at("9c0c6b36-6f0f-4f43-9d2f-6d2f4c1b7d10") is None


async def test_only_old_media_without_a_job_goes() -> None:
    clock = ManualClock(SystemClock().now())
    jobs, objects = MemoryJobStore(clock), MemoryObjectStore()
    orphan, known = new_id(), new_id()
    keys = {name: f"media/{name}/source" for name in (orphan, known, "not-ours")}
    for key in keys.values():
        await objects.put(key, b"x", "video/mp4")
    media = MediaRef(key=keys[known], filename="a.mp4", size_bytes=1, sha256="00")
    await jobs.insert(
        jobs_machine.submit(jobs_machine.Submission(known, "t", media, ("p",), {}), clock.now())
    )
    sweeper = OrphanSweeper(jobs, objects, HOUR, clock)

    assert await sweeper.sweep() == []
    clock.advance(HOUR.total_seconds() + 1)
    assert await sweeper.sweep() == [keys[orphan]]
    assert sorted(await objects.keys("media/")) == sorted([keys[known], keys["not-ours"]])


async def test_nothing_goes_when_the_database_is_another_one() -> None:
    clock = ManualClock(SystemClock().now())
    objects = MemoryObjectStore()
    for _ in range(11):
        await objects.put(f"media/{new_id()}/source", b"x", "video/mp4")
    clock.advance(HOUR.total_seconds() + 1)
    assert await OrphanSweeper(MemoryJobStore(clock), objects, HOUR, clock).sweep() == []
    assert len(await objects.keys("media/")) == 11
