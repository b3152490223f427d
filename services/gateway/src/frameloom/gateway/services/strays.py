"""Removes what lies in the store for uploads that no document knows.

That is what a client wrote after the end of its upload, while its address still worked, and objects in parts
whose process died before anybody joined them, whatever they were for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from frameloom.common import layout
from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock
from frameloom.common.ports.parts import PartedStore
from frameloom.common.ports.stores import UploadStore

_VERSION = 7
_EVERY_SECONDS = 3600.0
_LEAST_AGE = timedelta(hours=24)
log = structlog.get_logger(__name__)


class StraySweeper:
    """Looks through the store now and then.

    Args:
        uploads: Who is known.
        objects: The store.
        after: How old a stray must be: longer than any upload, and any address for one, may live.
        clock: Tells the time.
    """

    def __init__(self, uploads: UploadStore, objects: PartedStore, after: timedelta, clock: Clock) -> None:
        self._uploads = uploads
        self._objects = objects
        self._after = max(after, _LEAST_AGE)
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks in the background."""
        async with in_background(
            repeatedly(self.sweep, _EVERY_SECONDS, "stray sweep waits"), "stray-sweeper"
        ):
            yield

    async def sweep(self) -> None:
        """Looks once."""
        due = self._clock.now() - self._after
        for key, store_id in await self._objects.unjoined(due):
            await self._objects.drop_parts(key, store_id)
            log.warning("parts that nobody joined, dropped", key=key)
        strays = [
            key
            for key in await self._objects.keys(layout.UPLOADS)
            if _older(_upload_of(key), due) and await self._uploads.get(_upload_of(key)) is None
        ]
        if strays:
            await self._objects.delete(strays)
            log.warning("strays of uploads removed", count=len(strays), first=strays[0])


def _upload_of(key: str) -> str:
    return key.removeprefix(layout.UPLOADS).partition("/")[0]


def _older(upload_id: str, due: datetime) -> bool:
    """Ids of uploads are UUIDv7, which tell when they were made."""
    try:
        parsed = UUID(upload_id)
        return parsed.version == _VERSION and datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC) < due
    except (ValueError, OverflowError):
        return False
