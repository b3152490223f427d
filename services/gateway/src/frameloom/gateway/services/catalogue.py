"""The pipelines that the fleet offers, and which of them can run now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frameloom.common.documents import Liveness, PipelineOffer
from frameloom.common.ports.stores import FleetStore
from frameloom.gateway.errors import PipelineNotFoundError, PipelineUnavailableError, UnknownPipelineError

DEFAULT_PIPELINES = ("scene_detection", "person_tracking")
"""What runs when a client names none, as in VideoAnnotator; those that are offered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An offered pipeline and whether a live worker can run it now."""

    offer: PipelineOffer
    enabled: bool


class Catalogue:
    """Reads the fleet's offers. Nothing is invented: a pipeline that nobody offers does not exist."""

    def __init__(self, fleet: FleetStore) -> None:
        self._fleet = fleet

    async def entries(self) -> list[Entry]:
        """Every offered pipeline, by name."""
        offers = await self._fleet.offers()
        running = {
            name
            for member in await self._fleet.live()
            if member.liveness is Liveness.HEALTHY
            for name in member.pipelines
        }
        return [Entry(offer, offer.available and offer.id in running) for offer in offers]

    async def entry(self, name: str) -> Entry:
        """One pipeline.

        Raises:
            PipelineNotFoundError: Nobody has offered it.
        """
        entries = await self.entries()
        for entry in entries:
            if entry.offer.id == name:
                return entry
        raise PipelineNotFoundError(name, [entry.offer.id for entry in entries])

    async def chosen(self, names: Sequence[str]) -> list[PipelineOffer]:
        """The offers that a submission means, in its order, each once.

        A pipeline that is offered but that no worker runs at the moment is accepted: the job waits.

        Raises:
            UnknownPipelineError: One is not offered, or none was named and no default is offered.
            PipelineUnavailableError: One is offered as not able to run.
        """
        offers = {offer.id: offer for offer in await self._fleet.offers()}
        usable = [name for name, offer in offers.items() if offer.available]
        if not names:
            defaults = [name for name in DEFAULT_PIPELINES if name in usable]
            if not defaults:
                raise UnknownPipelineError(DEFAULT_PIPELINES, usable)
            return [offers[name] for name in defaults]
        wanted = list(dict.fromkeys(names))
        if unknown := [name for name in wanted if name not in offers]:
            raise UnknownPipelineError(unknown, usable)
        reasons = {
            name: offers[name].reason or "no worker can run it"
            for name in wanted
            if not offers[name].available
        }
        if reasons:
            raise PipelineUnavailableError(reasons)
        return [offers[name] for name in wanted]
