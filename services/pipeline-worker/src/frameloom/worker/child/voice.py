"""What one member of a run has to say: its rows in chunks, its progress, and its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from frameloom.common.documents import FailureCategory
from frameloom.common.pipelines import Item, Progress
from frameloom.worker.child.chunker import Chunker
from frameloom.worker.child.line import Line
from frameloom.worker.child.protocol import Done, Dropped, Failed, Member, Progressed
from frameloom.worker.child.warmth import Warmth
from frameloom.worker.errors import TaskError
from frameloom.worker.pipelines.parts import RunSummary

_PROGRESS_SECONDS = 0.2
log = structlog.get_logger(__name__)


class Voice:
    """The listener of one pipeline, that tells the parent.

    Args:
        member: Whose it is.
        version: Of the pipeline.
        config: The configuration in force.
        line: To the parent.
        warmth: What the child keeps.
    """

    def __init__(
        self, member: Member, version: str, config: dict[str, Any], line: Line, warmth: Warmth
    ) -> None:
        self._member = member
        self._version = version
        self._config = config
        self._line = line
        self._warmth = warmth
        self._chunker = Chunker(member.id)
        self._last_progress = 0.0
        self._left = False

    def emit(self, items: Sequence[Item], start: float, end: float) -> None:
        """Sends the chunks that have become due."""
        self._line.send(*self._chunker.add(items, start, end, time.monotonic()))

    def progress(self, progress: Progress) -> None:
        """Sends it, if the last one is not just gone."""
        now = time.monotonic()
        if now - self._last_progress >= _PROGRESS_SECONDS or progress.fraction >= 1.0:
            self._last_progress = now
            self._warmth.working()
            self._line.send(Progressed(member=self._member.id, progress=progress))

    def done(self, summary: RunSummary) -> None:
        """Sends what is left, and the end."""
        self._warmth.ended(self._member.pipeline, completed=True)
        self._line.send(
            *self._chunker.rest(),
            Done(
                member=self._member.id,
                frames=summary.frames,
                media_seconds=summary.media_seconds,
                decoder=summary.backend,
                models=summary.models,
                pipeline_version=self._version,
                config=self._config,
                artefacts=summary.artefacts,
            ),
        )

    def failed(self, error: Exception) -> None:
        """Sends why it could not go on."""
        self._warmth.ended(self._member.pipeline, completed=False)
        self._line.send(failure(self._member, error))

    def wanted(self) -> bool:
        """Whether the parent still wants it; if not, it is told once that this was heard."""
        if not self._left and self._line.dropped(self._member.id):
            self._left = True
            self._line.send(Dropped(member=self._member.id))
        return not self._left


def failure(member: Member, error: Exception) -> Failed:
    """The words for what ended a pipeline: a pipeline may raise anything, and the parent must hear of it."""
    if isinstance(error, TaskError):
        return Failed(member=member.id, category=error.category, message=error.message)
    if isinstance(error, MemoryError):
        category, message = FailureCategory.MEMORY_PRESSURE, "The worker ran out of memory."
        return Failed(member=member.id, category=category, message=message)
    log.error("pipeline failed", pipeline=member.pipeline, exc_info=error)
    return Failed(
        member=member.id,
        category=FailureCategory.SYSTEM,
        message=f"The pipeline {member.pipeline} failed: {type(error).__name__}: {error}",
    )
