"""Removes what lies in quarantine for too long: uploads whose gateway died before it had examined them.

No document ever names an object in quarantine, so nothing has to be asked but its age.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from frameloom.common import layout
from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock
from frameloom.common.errors import ObjectNotFoundError
from frameloom.common.ports.objects import ObjectStore

_LOOKS_WITHIN_AGE = 4
log = structlog.get_logger(__name__)


class QuarantineSweeper:
    """Looks through the quarantine now and then.

    Args:
        objects: Where it lies.
        after: How long after it was written an object goes: longer than any examination may take.
        clock: Tells the time.
    """

    def __init__(self, objects: ObjectStore, after: timedelta, clock: Clock) -> None:
        self._objects = objects
        self._after = after
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweeps in the background."""
        every_seconds = self._after.total_seconds() / _LOOKS_WITHIN_AGE
        async with in_background(
            repeatedly(self.sweep, every_seconds, "quarantine sweep waits"), "quarantine-sweeper"
        ):
            yield

    async def sweep(self) -> list[str]:
        """Removes what is old enough; answers the keys."""
        due = self._clock.now() - self._after
        left = [key for key in await self._objects.keys(layout.QUARANTINE) if await self._older(key, due)]
        if left:
            await self._objects.delete(left)
            log.warning("left in quarantine, removed", count=len(left), first=left[0])
        return left

    async def _older(self, key: str, due: datetime) -> bool:
        try:
            modified = (await self._objects.info(key)).modified
        except ObjectNotFoundError:
            return False  # examined meanwhile
        return modified is not None and modified < due
