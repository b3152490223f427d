"""What has no job: removed when it is old enough, never before, never with a job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from frameloom.common.adapters.memory import MemoryJobStore, MemoryObjectStore
from frameloom.common.clock import ManualClock, SystemClock, new_id
from frameloom.common.documents import JobDocument, MediaRef
from frameloom.common.machines import job as jobs_machine
from frameloom.results import orphans
from frameloom.results.orphans import OrphanSweeper, made_at

HOUR = timedelta(hours=1)


def test_a_job_id_tells_when_it_was_made() -> None:
    made = made_at(new_id())
    assert made is not None
    assert abs(datetime.now(UTC) - made) < timedelta(seconds=5)
    assert made_at("no id") is None
    assert made_at("9c0c6b36-6f0f-4f43-9d2f-6d2f4c1b7d10") is None
    assert made_at("ffffffff-ffff-7fff-bfff-ffffffffffff") is None, "in some thousand years"


class Bucket:
    """A sweeper over stores in memory."""

    def __init__(self) -> None:
        self.clock = ManualClock(SystemClock().now())
        self.jobs, self.objects = MemoryJobStore(self.clock), MemoryObjectStore()
        self.sweeper = OrphanSweeper(self.jobs, self.objects, HOUR, self.clock)

    async def holds(self, job_id: str) -> list[str]:
        """Something of a job under each prefix; its keys."""
        keys = [
            f"media/{job_id}/source",
            f"chunks/{job_id}/t/000001/0",
            f"results/{job_id}/a/000001/manifest.json",
        ]
        for key in keys:
            await self.objects.put(key, b"x", "video/mp4")
        return keys

    async def knows(self, job_id: str) -> JobDocument:
        media = MediaRef(key=f"media/{job_id}/source", filename="a.mp4", size_bytes=1, sha256="00")
        submission = jobs_machine.Submission(job_id, "t", media, ("p",), {})
        job = jobs_machine.submit(submission, self.clock.now())
        await self.jobs.insert(job)
        return job


async def test_only_what_is_old_and_has_no_job_goes() -> None:
    bucket = Bucket()
    orphan, known = new_id(), new_id()
    gone = await bucket.holds(orphan)
    kept = [*await bucket.holds(known), *await bucket.holds("not-ours")]
    await bucket.knows(known)
    assert await bucket.sweeper.sweep() == []
    bucket.clock.advance(HOUR.total_seconds() + 1)
    far = int((bucket.clock.now().timestamp() - 60) * 1000) << 80 | 7 << 76 | 2 << 62
    young = await bucket.holds(str(UUID(int=far)))
    assert sorted(await bucket.sweeper.sweep()) == sorted(gone)
    assert await bucket.objects.keys("") == sorted([*kept, *young])


async def test_what_a_stale_process_wrote_after_the_purge_goes() -> None:
    """One chunk only: its job's media went with the job."""
    bucket = Bucket()
    key = f"chunks/{new_id()}/t/000001/00000007.jsonl.gz"
    await bucket.objects.put(key, b"x", "application/gzip")
    bucket.clock.advance(HOUR.total_seconds() + 1)
    assert await bucket.sweeper.sweep() == [key]
    assert await bucket.objects.keys("") == []


async def test_a_deleted_job_is_left_to_those_who_purge_it() -> None:
    bucket = Bucket()
    job = await bucket.knows(new_id())
    kept = await bucket.holds(job.id)
    assert await bucket.jobs.apply(jobs_machine.delete(job, bucket.clock.now())) is not None
    bucket.clock.advance(HOUR.total_seconds() + 1)
    assert await bucket.sweeper.sweep() == []
    assert await bucket.objects.keys("") == sorted(kept)


async def test_nothing_goes_when_the_database_is_another_one() -> None:
    bucket = Bucket()
    for _ in range(11):
        await bucket.holds(new_id())
    bucket.clock.advance(HOUR.total_seconds() + 1)
    assert await bucket.sweeper.sweep() == []
    assert len(await bucket.objects.keys("")) == 33


async def test_many_jobs_are_looked_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "_AT_ONCE", 2)
    bucket = Bucket()
    ids = [new_id() for _ in range(7)]
    for job_id in ids:
        await bucket.holds(job_id)
        await bucket.knows(job_id)
    lost = await bucket.holds(new_id())
    bucket.clock.advance(HOUR.total_seconds() + 1)
    assert sorted(await bucket.sweeper.sweep()) == sorted(lost)
