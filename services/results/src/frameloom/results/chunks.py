"""The chunk store: one object per chunk, gzipped JSON lines, one line per row."""

from __future__ import annotations

from collections.abc import AsyncIterator

from frameloom.common import rows
from frameloom.common.errors import FrameloomError, ObjectNotFoundError
from frameloom.common.events import AnnotationChunk
from frameloom.common.ports.objects import ObjectStore
from frameloom.results import layout

_MEDIA_TYPE = "application/gzip"


class MissingChunksError(FrameloomError):
    """The worker says it sent more chunks than arrived."""

    code = "MISSING_CHUNKS"


class ChunkStore:
    """Keeps the chunks of running tasks, and streams them back in order."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put(self, chunk: AnnotationChunk) -> None:
        """Stores a chunk; storing it again changes nothing."""
        key = layout.chunk(chunk.job_id, chunk.task_id, chunk.epoch, chunk.seq)
        await self._objects.put(key, rows.pack(chunk.items), _MEDIA_TYPE)

    async def keys(self, job_id: str, task_id: str, epoch: int, expected: int) -> list[str]:
        """The keys of an epoch's chunks, in order.

        Raises:
            MissingChunksError: Some are not there.
        """
        wanted = [layout.chunk(job_id, task_id, epoch, seq) for seq in range(expected)]
        present = set(await self._objects.keys(layout.chunks_of_epoch(job_id, task_id, epoch)))
        if missing := [key for key in wanted if key not in present]:
            raise MissingChunksError(
                f"{len(missing)} of {expected} annotation chunks did not arrive",
                detail={"first_missing": missing[0]},
            )
        return wanted

    async def present(self, job_id: str, task_id: str, epoch: int) -> list[str]:
        """The keys of the chunks of an epoch that is over: all that there are, in order."""
        return await self._objects.keys(layout.chunks_of_epoch(job_id, task_id, epoch))

    async def rows(self, keys: list[str], name: str) -> AsyncIterator[list[bytes]]:
        """The rows of one list, chunk by chunk, each row as compact JSON.

        Raises:
            MissingChunksError: One is not there any more.
        """
        for key in keys:
            # They are not parsed, since they are only passed on.
            if found := rows.cut_out(await self._packed(key), name):
                yield found

    async def _packed(self, key: str) -> bytes:
        try:
            return b"".join([block async for block in self._objects.read(key)])
        except ObjectNotFoundError as error:
            raise MissingChunksError(
                "An annotation chunk was removed while it was needed", detail={"first_missing": key}
            ) from error

    async def delete(self, prefix: str) -> None:
        """Removes all chunks under a prefix."""
        await self._objects.delete(await self._objects.keys(prefix))
