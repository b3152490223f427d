"""Removes what lies in the bucket without a job: stored just before a process died, or after a deletion.

An upload ends before its job document is written, so a crash between the two leaves an object that nothing
refers to. A process that stood still while its job was deleted and purged may write a chunk or a result when
it goes on. Job ids are UUIDv7: the key itself tells how old it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore
from frameloom.results import layout

_VERSION = 7
_FEW = 10
_AT_ONCE = 500
_SUSPICIOUS = "the database knows fewer of the jobs than it misses: does it belong to this bucket?"
log = structlog.get_logger(__name__)


def made_at(job_id: str) -> datetime | None:
    """When a job id was minted; None if it is no UUIDv7."""
    try:
        parsed = UUID(job_id)
        return datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC) if parsed.version == _VERSION else None
    except (ValueError, OverflowError):
        return None


class OrphanSweeper:
    """Looks through the bucket now and then.

    Args:
        jobs: Who is known; a deleted job is, until its documents go.
        objects: The bucket.
        after: How old an orphan must be: longer than any upload may take.
        clock: Tells the time.
    """

    def __init__(self, jobs: JobStore, objects: ObjectStore, after: timedelta, clock: Clock) -> None:
        self._jobs = jobs
        self._objects = objects
        self._after = after
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweeps in the background, as often as orphans come of age."""
        work = repeatedly(self.sweep, self._after.total_seconds(), "orphan sweep waits")
        async with in_background(work, "orphan-sweeper"):
            yield

    async def sweep(self) -> list[str]:
        """Removes the orphans that are old enough; answers their keys.

        A crash leaves a few. Where the bucket has more jobs that are unknown than known ones, the database is
        another one, or was restored from an old copy: then nothing is removed.
        """
        found = await self._old_enough()
        known = await self._known(list(found))
        orphans = sorted(found.keys() - known)
        if not orphans:
            return []
        if len(orphans) > max(len(known), _FEW):
            log.error("orphans left alone", count=len(orphans), known=len(known), reason=_SUSPICIOUS)
            return []
        keys = [
            key for job_id in orphans for folder in found[job_id] for key in await self._objects.keys(folder)
        ]
        await self._objects.delete(keys)
        log.warning("orphans removed", jobs=len(orphans), objects=len(keys), first=orphans[0])
        return keys

    async def _old_enough(self) -> dict[str, list[str]]:
        """The folders of each job in the bucket, by its id."""
        due = self._clock.now() - self._after
        found: dict[str, list[str]] = defaultdict(list)
        for prefix in layout.PREFIXES:
            for folder in await self._objects.folders(prefix):
                job_id = folder.removeprefix(prefix).rstrip("/")
                made = made_at(job_id)
                if made is not None and made < due:
                    found[job_id].append(folder)
        return found

    async def _known(self, job_ids: list[str]) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(job_ids), _AT_ONCE):
            known |= await self._jobs.known(job_ids[start : start + _AT_ONCE])
        return known
