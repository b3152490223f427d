"""The pipelines that are known, and which of them can run now.

Known are those of the built-in registry and those that workers have offered; of two with one name the offer
wins. Whether one can run is the fleet's word alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from frameloom.common.documents import Liveness, PipelineOffer
from frameloom.common.pipelines import PipelineInfo
from frameloom.common.ports.stores import FleetStore
from frameloom.common.registry import DEFAULT_PIPELINES, Names, merged, registry
from frameloom.gateway.errors import PipelineNotFoundError, PipelineUnavailableError, UnknownPipelineError

NEVER_OFFERED = "no worker has offered it yet"
_LATELY_SECONDS = 1.0
NOBODY_LEFT = "no live worker runs it"


@dataclass(frozen=True, slots=True)
class Entry:
    """A known pipeline.

    Attributes:
        info: What its worker says of it, or the registry.
        offered: Some worker has offered it.
        usable: A job for it is taken: at once, or when a worker comes back that runs it.
        enabled: A live worker runs it now.
        reason: Why it is not enabled.
    """

    info: PipelineInfo
    offered: bool
    usable: bool
    enabled: bool
    reason: str | None

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name


@dataclass(frozen=True, slots=True)
class Known:
    """All known pipelines at one moment."""

    entries: Mapping[str, Entry]
    names: Names

    @property
    def usable(self) -> list[str]:
        """Those that a job may name."""
        return [name for name, entry in self.entries.items() if entry.usable]

    def entry(self, name: str) -> Entry:
        """A pipeline by its name or an alias.

        Raises:
            PipelineNotFoundError: There is no such pipeline.
        """
        meant = self.names.resolve(name)
        if meant is None:
            raise PipelineNotFoundError(name, list(self.entries))
        return self.entries[meant]

    def defaults(self) -> list[Entry]:
        """What is meant where none is named: the usable ones of the defaults, else all of them."""
        wanted = [self.entries[name] for name in DEFAULT_PIPELINES]
        return [entry for entry in wanted if entry.usable] or wanted

    def chosen(self, names: Sequence[str]) -> list[Entry]:
        """The pipelines that a submission means, in its order, each once.

        Raises:
            UnknownPipelineError: One is not known.
            PipelineUnavailableError: One is known and can not be run.
        """
        if unknown := [name for name in names if self.names.resolve(name) is None]:
            raise UnknownPipelineError(unknown, self.usable)
        meant = dict.fromkeys(self.entry(name).name for name in names)
        wanted = [self.entries[name] for name in meant] or self.defaults()
        if refused := {entry.name: entry.reason or NOBODY_LEFT for entry in wanted if not entry.usable}:
            raise PipelineUnavailableError(refused)
        return wanted


class Catalogue:
    """Reads the fleet's offers beside the registry.

    Args:
        fleet: Where workers announce themselves.
        accept_unoffered: Take jobs also for pipelines of the registry that no worker has offered yet.
    """

    def __init__(self, fleet: FleetStore, *, accept_unoffered: bool = False) -> None:
        self._fleet = fleet
        self._accept_unoffered = accept_unoffered
        self._lately: tuple[float, Known] | None = None

    async def known(self) -> Known:
        """Every known pipeline by name, with its state now."""
        offers, running = await asyncio.gather(self._fleet.offers(), self._running())
        known = self._put_together(offers, running)
        if not any(entry.offered and entry.usable and not entry.enabled for entry in known.entries.values()):
            return known
        seen = await self._fleet.last_seen()
        told = {name: _since(entry, seen.get(name)) for name, entry in known.entries.items()}
        return Known(told, known.names)

    async def chosen(self, names: Sequence[str]) -> tuple[Known, list[Entry]]:
        """What a submission means; see :meth:`Known.chosen`.

        Offers change when workers of another version start, and are asked for with every submission: those
        of a moment ago do, unless they would refuse it. Who lives is asked only where that decides.
        """
        known = await self._offered_lately()
        try:
            return known, known.chosen(names)
        except (UnknownPipelineError, PipelineUnavailableError):
            known = await self.known()
            return known, known.chosen(names)

    async def _offered_lately(self) -> Known:
        now = asyncio.get_running_loop().time()
        if self._lately is None or now - self._lately[0] > _LATELY_SECONDS:
            self._lately = now, self._put_together(await self._fleet.offers(), ())
        return self._lately[1]

    async def _running(self) -> set[str]:
        members = await self._fleet.live()
        return {name for one in members if one.liveness is Liveness.HEALTHY for name in one.pipelines}

    def _put_together(self, offers: Sequence[PipelineOffer], running: Collection[str]) -> Known:
        built_in = registry()
        entries = {offer.id: _offered(offer, running) for offer in offers}
        for name, info in built_in.items():
            if name not in entries:
                usable = self._accept_unoffered
                entries[name] = Entry(info, offered=False, usable=usable, enabled=False, reason=NEVER_OFFERED)
        ordered = dict(sorted(entries.items()))
        runnable = {name for name, entry in ordered.items() if entry.offered and entry.usable}
        names = Names((entry.info for entry in ordered.values()), runnable, also=built_in.values())
        return Known(ordered, names)


def _offered(offer: PipelineOffer, running: Collection[str]) -> Entry:
    """One worker's word that it can not run it counts only where no other one does."""
    enabled = offer.id in running
    reason = None if enabled else NOBODY_LEFT if offer.available else offer.reason or NOBODY_LEFT
    return Entry(
        merged(offer.info), offered=True, usable=enabled or offer.available, enabled=enabled, reason=reason
    )


def _since(entry: Entry, seen: datetime | None) -> Entry:
    if seen is None or entry.enabled or not entry.usable or not entry.offered:
        return entry
    when = seen.isoformat(timespec="seconds").replace("+00:00", "Z")
    return replace(entry, reason=f"{NOBODY_LEFT}; its last worker was seen at {when}")
