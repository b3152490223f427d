"""What arrives at the results service: chunks, and the ends of epochs, in order for each task."""

from __future__ import annotations

import structlog

from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Event
from frameloom.common.ports.stores import TaskStore
from frameloom.results.chunks import ChunkStore
from frameloom.results.publishing import Finisher

log = structlog.get_logger(__name__)


class Handlers:
    """The consumer of the annotations topic."""

    def __init__(self, tasks: TaskStore, chunks: ChunkStore, finisher: Finisher) -> None:
        self._tasks = tasks
        self._chunks = chunks
        self._finisher = finisher

    async def on_annotations(self, event: Event) -> None:
        """Stores a chunk, or finishes an epoch."""
        if isinstance(event, AnnotationChunk):
            if await self._is_wanted(event):
                await self._chunks.put(event)
        elif isinstance(event, AnnotationsFinished):
            await self._finisher.finish(event)

    async def _is_wanted(self, chunk: AnnotationChunk) -> bool:
        """Whether the epoch is still the task's: a stale worker's chunks are dropped.

        Asked for every chunk. One that came after its job was over and tidied would lie there for ever, and
        a read costs little beside the chunk's own storing.
        """
        task = await self._tasks.get(chunk.task_id)
        if task is not None and task.epoch == chunk.epoch and not task.state.terminal:
            return True
        log.info("stale chunk dropped", task_id=chunk.task_id, epoch=chunk.epoch, seq=chunk.seq)
        return False
