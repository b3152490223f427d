"""Removes media that no job knows of: what a gateway stored just before it died.

An upload ends before its job document is written, so a crash between the two leaves an object that
nothing refers to. Job ids are UUIDv7: the key itself tells how old it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore

PREFIX = "media/"
_VERSION = 7
_FEW = 10
_SUSPICIOUS = "the database knows fewer of the media than it misses: does it belong to this bucket?"
log = structlog.get_logger(__name__)


def made_at(job_id: str) -> datetime | None:
    """When a job id was minted; None if it is no UUIDv7."""
    try:
        parsed = UUID(job_id)
    except ValueError:
        return None
    if parsed.version != _VERSION:
        return None
    return datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC)


class OrphanSweeper:
    """Looks through the media now and then.

    Args:
        jobs: Who is known.
        objects: Where the media lie.
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

        A crash leaves a few. Where most of the media have no job, the database is another one, or was
        restored from an old copy: then nothing is removed.
        """
        due = self._clock.now() - self._after
        orphans, known = [], 0
        for key in await self._objects.keys(PREFIX):
            job_id = key.removeprefix(PREFIX).partition("/")[0]
            made = made_at(job_id)
            if made is None or made >= due:
                continue
            if await self._jobs.get(job_id) is None:
                orphans.append(key)
            else:
                known += 1
        if not orphans:
            return []
        if len(orphans) > max(known, _FEW):
            log.error("orphans left alone", count=len(orphans), known=known, reason=_SUSPICIOUS)
            return []
        await self._objects.delete(orphans)
        log.warning("orphaned media removed", count=len(orphans), first=orphans[0])
        return orphans
