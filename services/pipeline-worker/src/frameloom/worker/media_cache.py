"""Media files on the worker's disk, fetched once, keyed by their sha256, bounded in size."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from frameloom.common.documents import FailureCategory, MediaRef
from frameloom.common.errors import ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectStore
from frameloom.worker.errors import TaskError

_BLOCK_BYTES = 1024 * 1024
log = structlog.get_logger(__name__)


class MediaCache:
    """Hands out local files of media; what is in use is never removed."""

    def __init__(self, objects: ObjectStore, folder: Path, limit_bytes: int) -> None:
        self._objects = objects
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def held(self, media: MediaRef) -> AsyncIterator[Path]:
        """The media's file, kept while the block runs.

        Raises:
            TaskError: The media is not in the store (``input_missing``), or can not be had now
                (``storage_error``).
        """
        self._users[media.sha256] += 1
        try:
            async with self._locks.setdefault(media.sha256, asyncio.Lock()):
                path = await self._file(media)
            yield path
        finally:
            self._users[media.sha256] -= 1
            if not self._users[media.sha256]:
                del self._users[media.sha256]
                self._locks.pop(media.sha256, None)
                await asyncio.to_thread(self._evict)

    async def _file(self, media: MediaRef) -> Path:
        path = self._folder / media.sha256
        if path.exists():
            path.touch()  # the modification time tells when it was used last
            return path
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        try:
            await self._objects.fetch(media.key, path)
        except ObjectNotFoundError as error:
            raise TaskError(
                FailureCategory.INPUT_MISSING, "The media file is no longer in the object store."
            ) from error
        except StorageUnavailableError as error:
            raise TaskError(FailureCategory.STORAGE_ERROR, error.message) from error
        if await asyncio.to_thread(_sha256, path) != media.sha256:
            path.unlink()
            raise TaskError(
                FailureCategory.STORAGE_ERROR, "The media file in the object store is not what was uploaded."
            )
        log.info("media fetched", key=media.key, size_bytes=media.size_bytes)
        return path

    def _evict(self) -> None:
        files = [(path.stat(), path) for path in self._folder.iterdir() if path.is_file()]
        total = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda entry: entry[0].st_mtime):
            if total <= self._limit_bytes:
                return
            if path.name not in self._users:
                path.unlink(missing_ok=True)
                total -= stat.st_size


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
