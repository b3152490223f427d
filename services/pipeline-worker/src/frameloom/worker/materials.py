"""What a run works on, on the worker's disk: the media's file, or the rows of segments to be stitched."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from frameloom.common import layout
from frameloom.common.clock import new_id
from frameloom.common.documents import FailureCategory, TaskDocument
from frameloom.common.errors import ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectStore
from frameloom.worker.errors import TaskError
from frameloom.worker.media_cache import MediaCache
from frameloom.worker.pipelines.pieces import folder_of

_AT_ONCE = 8
_FORSAKEN_SECONDS = 24 * 3600.0
log = structlog.get_logger(__name__)


class Materials:
    """Fetches what a task works on.

    Args:
        media: The cache of media.
        objects: Where the rows of segments lie.
        folder: Where they are laid out while they are stitched.
    """

    def __init__(self, media: MediaCache, objects: ObjectStore, folder: Path) -> None:
        self._media = media
        self._objects = objects
        self._folder = folder

    @asynccontextmanager
    async def held(self, task: TaskDocument) -> AsyncIterator[Path]:
        """The file, or the folder of segments, kept while the block runs.

        Raises:
            TaskError: It is not in the store, or can not be had now.
        """
        if task.waits_for:
            async with self._pieces(task) as folder:
                yield folder
        else:
            async with self._media.held(task.media) as path:
                yield path

    @asynccontextmanager
    async def _pieces(self, task: TaskDocument) -> AsyncIterator[Path]:
        folder = self._folder / new_id()
        try:
            await asyncio.to_thread(self._make_room)
            await self._lay_out(task, folder)
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _lay_out(self, task: TaskDocument, folder: Path) -> None:
        """A folder per segment, with its chunks in order."""
        limit = asyncio.Semaphore(_AT_ONCE)
        fetches = []
        for place, part in enumerate(task.parts):
            into = folder_of(folder, place)
            into.mkdir(parents=True)
            for seq in range(part.chunks):
                key = layout.chunk(task.job_id, part.task_id, part.epoch, seq)
                fetches.append(self._fetch(key, into / key.rsplit("/", 1)[1], limit))
        try:
            async with asyncio.TaskGroup() as group:
                for fetch in fetches:
                    group.create_task(fetch)
        except* ObjectNotFoundError as missing:
            raise TaskError(
                FailureCategory.STORAGE_ERROR, "Rows of a segment are no longer in the object store."
            ) from missing
        except* StorageUnavailableError as away:
            raise TaskError(FailureCategory.STORAGE_ERROR, "The object store does not answer.") from away
        except* OSError as error:
            raise TaskError(
                FailureCategory.STORAGE_ERROR, "The worker could not store the rows of a segment."
            ) from error
        log.info("segments fetched", task_id=task.id, segments=len(task.parts), chunks=len(fetches))

    async def _fetch(self, key: str, path: Path, limit: asyncio.Semaphore) -> None:
        async with limit:
            await self._objects.fetch(key, path)

    def _make_room(self) -> None:
        """Removes what a killed worker left behind long ago."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # another worker of the machine may tidy it too
            for left in self._folder.iterdir():
                if left.stat().st_mtime < time.time() - _FORSAKEN_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
