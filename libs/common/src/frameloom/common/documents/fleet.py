"""What each process tells of itself, so that the gateway can tell the truth of the whole fleet."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from frameloom.common.documents.base import Document
from frameloom.common.documents.facts import Facts, ModelFacts
from frameloom.common.pipelines import PipelineInfo, Segmentation


class Service(StrEnum):
    """The four services."""

    GATEWAY = "gateway"
    SCHEDULER = "scheduler"
    WORKER = "worker"
    RESULTS = "results"


class Liveness(StrEnum):
    """What a process says of its own state."""

    HEALTHY = "healthy"
    DRAINING = "draining"


class FleetMember(Document):
    """One process. ``seen_at`` is the database's time of its last announcement."""

    service: Service
    host: str
    pid: int
    version: str
    started_at: datetime
    liveness: Liveness = Liveness.HEALTHY
    seen_at: datetime | None = None
    slots: int = 0
    """Workers only: how many tasks it runs at once."""
    pipelines: tuple[str, ...] = ()
    assignment: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Workers only: the partitions of each pipeline's topic that it reads."""
    facts: Facts = Field(default_factory=Facts)


class PipelineOffer(Document):
    """A pipeline that some worker has offered to run, by name."""

    info: PipelineInfo
    available: bool = True
    reason: str | None = None
    """Why the worker can not run it, if it can not."""
    models: tuple[ModelFacts, ...] = ()
    """The model files that it needs in its default configuration."""
    segmentation: Segmentation | None = None
    """How long media may be cut into segments; None: it sees every video whole."""
