"""How the pipelines of the fleet want long media cut, as their workers have told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument
from frameloom.common.machines.segments import Limits
from frameloom.common.pipelines import Segmentation
from frameloom.common.ports.stores import FleetStore

_FRESH = timedelta(seconds=5)


class Segmentations:
    """Reads the offers now and then: they are large, and change when a worker is updated.

    Attributes:
        limits: What the operator says about segments.
    """

    def __init__(self, fleet: FleetStore, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._fleet = fleet
        self._clock = clock
        self._known: Mapping[str, Segmentation] = {}
        self._read_at: datetime | None = None

    async def of(self, job: JobDocument) -> Mapping[str, Segmentation]:
        """By pipeline, for those that can work in segments; nothing is read for media that stay whole."""
        length = job.facts.duration_seconds if job.facts else None
        if not length or self.limits.seconds == 0 or length <= (self.limits.above_seconds or 0):
            return {}
        now = self._clock.now()
        if self._read_at is None or now - self._read_at >= _FRESH:
            offers = await self._fleet.offers()
            self._known = {offer.id: offer.segmentation for offer in offers if offer.segmentation}
            self._read_at = now
        return self._known
