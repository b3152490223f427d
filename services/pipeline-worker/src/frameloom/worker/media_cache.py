"""Media files on the worker's disk, fetched once, keyed by their sha256, bounded in size.

Several workers of a machine may share the folder. A file is share-locked while it is in use, and only what
can be locked alone is removed; a file bears its final name only after its content was checked.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from frameloom.common.clock import new_id
from frameloom.common.documents import FailureCategory, MediaRef
from frameloom.common.errors import ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectStore
from frameloom.worker.errors import TaskError

_BLOCK_BYTES = 1024 * 1024
_FORSAKEN_SECONDS = 3600.0
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
                file = await self._file(media)
            with file:
                yield self._folder / media.sha256
        finally:
            self._users[media.sha256] -= 1
            if not self._users[media.sha256]:
                del self._users[media.sha256]
                self._locks.pop(media.sha256, None)
                await asyncio.to_thread(self._evict)

    async def _file(self, media: MediaRef) -> IO[bytes]:
        path = self._folder / media.sha256
        if (file := _shared(path)) is not None:
            return file
        try:
            await self._fetch(media, path)
        except ObjectNotFoundError as error:
            raise TaskError(
                FailureCategory.INPUT_MISSING, "The media file is no longer in the object store."
            ) from error
        except StorageUnavailableError as error:
            raise TaskError(FailureCategory.STORAGE_ERROR, error.message) from error
        except OSError as error:
            reason = f"The worker could not store the media file: {error.strerror}."
            raise TaskError(FailureCategory.STORAGE_ERROR, reason) from error
        if (file := _shared(path)) is None:
            raise TaskError(FailureCategory.STORAGE_ERROR, "The worker's media cache is too small.")
        return file

    async def _fetch(self, media: MediaRef, path: Path) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        part = self._folder / f"{media.sha256}.{new_id()}.part"
        try:
            await self._objects.fetch(media.key, part)
            if await asyncio.to_thread(_sha256, part) != media.sha256:
                raise TaskError(
                    FailureCategory.STORAGE_ERROR,
                    "The media file in the object store is not what was uploaded.",
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        log.info("media fetched", key=media.key, size_bytes=media.size_bytes)

    def _evict(self) -> None:
        """Removes the least recently used beyond the limit, and what a killed worker left half fetched."""
        found = []
        with suppress(OSError):  # the folder may be gone, or another worker may tidy it too
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):
                    found.append((path.stat(), path))
        total = sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda entry: entry[0].st_mtime):
            whole = path.suffix == ""
            if (total > self._limit_bytes) if whole else (stat.st_mtime < time.time() - _FORSAKEN_SECONDS):
                total -= stat.st_size if _removed(path) else 0


def _shared(path: Path) -> IO[bytes] | None:
    """The file, open and locked against removal; None if it is not there."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    fcntl.flock(file, fcntl.LOCK_SH)
    if os.fstat(file.fileno()).st_nlink == 0:  # removed after it was opened and before it was locked
        file.close()
        return None
    os.utime(file.fileno())  # the modification time tells when it was used last
    return file


def _removed(path: Path) -> bool:
    """Removes a file, unless somebody uses it."""
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        return True
    return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
