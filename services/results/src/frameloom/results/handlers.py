"""What arrives at the results service: chunks, and the ends of epochs, in order for each task."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Event
from frameloom.common.ports.stores import TaskStore
from frameloom.results.chunks import ChunkStore
from frameloom.results.publishing import Finisher

_REMEMBERED_EPOCHS = 4096
log = structlog.get_logger(__name__)


class Handlers:
    """The consumer of the annotations topic."""

    def __init__(self, tasks: TaskStore, chunks: ChunkStore, finisher: Finisher) -> None:
        self._tasks = tasks
        self._chunks = chunks
        self._finisher = finisher
        self._wanted: OrderedDict[tuple[str, int], bool] = OrderedDict()

    async def on_annotations(self, event: Event) -> None:
        """Stores a chunk, or finishes an epoch."""
        if isinstance(event, AnnotationChunk):
            if await self._is_wanted(event):
                await self._chunks.put(event)
        elif isinstance(event, AnnotationsFinished):
            await self._finisher.finish(event)

    async def _is_wanted(self, chunk: AnnotationChunk) -> bool:
        """Whether the epoch was still the task's when its first chunk came: a stale worker's is dropped.

        Asked once per epoch, to spare a read per chunk. What slips through is removed when the job ends.
        """
        epoch = (chunk.task_id, chunk.epoch)
        if epoch not in self._wanted:
            task = await self._tasks.get(chunk.task_id)
            self._wanted[epoch] = task is not None and task.epoch == chunk.epoch and not task.state.terminal
            if len(self._wanted) > _REMEMBERED_EPOCHS:
                self._wanted.popitem(last=False)
            if not self._wanted[epoch]:
                log.info("stale chunks dropped", task_id=chunk.task_id, epoch=chunk.epoch)
        return self._wanted[epoch]
