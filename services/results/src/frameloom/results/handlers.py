"""What arrives at the results service: chunks, and the ends of epochs, in order for each task."""

from __future__ import annotations

import structlog

from frameloom.common.documents.facts import ResultsFacts
from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Event
from frameloom.common.ports.stores import TaskStore
from frameloom.results.chunks import ChunkStore
from frameloom.results.publishing import Finisher

log = structlog.get_logger(__name__)


class Handlers:
    """The consumer of the annotations topic.

    Attributes:
        facts: What it has handled, for the fleet to see.
    """

    def __init__(self, tasks: TaskStore, chunks: ChunkStore, finisher: Finisher) -> None:
        self._tasks = tasks
        self._chunks = chunks
        self._finisher = finisher
        self.facts = ResultsFacts()

    async def on_annotations(self, event: Event) -> None:
        """Stores a chunk, or finishes an epoch."""
        if isinstance(event, AnnotationChunk):
            if await self._is_wanted(event):
                await self._chunks.put(event)
                self._count(chunks_total=self.facts.chunks_total + 1)
        elif isinstance(event, AnnotationsFinished):
            await self._finisher.finish(event)
            self._count(ends_total=self.facts.ends_total + 1)

    def _count(self, **changes: int) -> None:
        self.facts = self.facts.model_copy(update=changes)

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
