"""The topics, their names and what they are for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to be created.

    Attributes:
        name: Its whole name.
        retention_hours: How long it keeps a message.
        partitions: How many; None: as many as the settings say.
    """

    name: str
    retention_hours: int
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of all topics under one prefix, so that two installations can share a broker.

    Attributes:
        prefix: First part of every name.
    """

    prefix: str

    @property
    def events(self) -> str:
        """The public feed: every entry of every job's event log, keyed by job."""
        return f"{self.prefix}.events"

    @property
    def task_events(self) -> str:
        """Wake-ups for the scheduler, keyed by job."""
        return f"{self.prefix}.task-events"

    @property
    def annotations(self) -> str:
        """Chunks and their ends, keyed by task, so that one results consumer sees them in order."""
        return f"{self.prefix}.annotations"

    @property
    def progress(self) -> str:
        """Telemetry of running tasks."""
        return f"{self.prefix}.progress"

    @property
    def control(self) -> str:
        """Hints to the workers, read by each of them: a task that may be theirs is to be cancelled."""
        return f"{self.prefix}.control"

    @property
    def dead_letters(self) -> str:
        """Messages that could not be handled, and tasks that were given up."""
        return f"{self.prefix}.dead-letters"

    def tasks(self, pipeline: str) -> str:
        """Tasks of one pipeline, to be claimed by a worker."""
        return f"{self.prefix}.tasks.{pipeline}"

    def standing(self) -> list[Topic]:
        """The topics that exist whatever the pipelines."""
        return [
            Topic(self.events, 24 * 7),
            Topic(self.task_events, 24),
            Topic(self.annotations, 24 * 7),
            Topic(self.progress, 1),
            Topic(self.control, 1, partitions=1),  # every worker reads all of it, and few messages come
            Topic(self.dead_letters, 24 * 14),
        ]

    def of_pipelines(self, pipelines: Iterable[str]) -> list[Topic]:
        """The task topics of these pipelines."""
        return [Topic(self.tasks(name), 24 * 7) for name in pipelines]
