"""What is known of the fleet and of the servers behind it, read at most every few seconds, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from frameloom.common.clock import Clock
from frameloom.common.documents import FleetMember, JobStatus, PipelineOffer, TaskState
from frameloom.common.errors import FrameloomError
from frameloom.common.ports.database import Database, DatabaseReport
from frameloom.common.ports.stores import Backlog, FleetStore, JobStore, TaskStore
from frameloom.gateway.services.overview import Fleet, Overview, ServerState
from frameloom.gateway.services.refreshed import Kept, Refreshed, or_none
from frameloom.gateway.services.tally import Tally

Probe = Callable[[], Awaitable[None]]
DATABASE = "database"
_NOBODY = "00000000-0000-0000-0000-000000000000"
_HISTORY_SECONDS = 30.0
_HISTORY_SHARE = 0.02
_PATIENCE_SECONDS = 2.0
_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class History:
    """What was done in all, over all tenants.

    Attributes:
        ends: How many tasks ended each way.
        annotations: In all visible results.
    """

    ends: dict[TaskState, int]
    annotations: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, over all tenants.

    Attributes:
        backlog: Tasks that are not over.
        unrelayed: Jobs with events that are not in Kafka.
    """

    backlog: Backlog
    unrelayed: int


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a watch looks.

    Attributes:
        me: This process, as it is now.
        probes: By server, a call that fails when it does not answer.
    """

    jobs: JobStore
    tasks: TaskStore
    fleet: FleetStore
    database: Database
    tally: Tally
    me: Callable[[], FleetMember]
    probes: Mapping[str, Probe]
    clock: Clock


class Watch:
    """Keeps an eye on everything, on demand.

    Args:
        watched: Where to look.
        every_seconds: How old what is told may be.
        timeout_seconds: How long a server may take to answer.
    """

    def __init__(self, watched: Watched, *, every_seconds: float, timeout_seconds: float) -> None:
        self._watched = watched
        self._timeout_seconds = timeout_seconds
        patience = timeout_seconds + _GRACE_SECONDS
        keep = partial(Refreshed, every_seconds=every_seconds, patience_seconds=patience)
        slow = partial(
            Refreshed,
            every_seconds=_HISTORY_SECONDS if every_seconds else 0.0,
            patience_seconds=_PATIENCE_SECONDS,
            share=_HISTORY_SHARE,
        )
        self._servers: Refreshed[dict[str, ServerState]] = keep(self._read_servers)
        self._fleet: Refreshed[Fleet] = keep(self._read_fleet)
        self._waiting: Refreshed[Waiting] = keep(self._read_waiting)
        self._history: Refreshed[History] = slow(self._read_history)
        self._report: Refreshed[DatabaseReport] = slow(watched.database.report)

    @property
    def me(self) -> FleetMember:
        """This process, as it is now."""
        return self._watched.me()

    async def overview(self) -> Overview:
        """Everything that can be had; what can not is left out."""
        servers, fleet, waiting, jobs = await asyncio.gather(
            self.servers(), or_none(self._fleet), or_none(self._waiting), self._jobs()
        )
        me = self._watched.me()
        members = fleet.value.members if fleet else ()
        return Overview(
            at=self._watched.clock.now(),
            me=me,
            announced=any(member.id == me.id for member in members),
            members=(me, *(member for member in members if member.id != me.id)),
            offers=fleet.value.offers if fleet else (),
            servers=servers,
            jobs=jobs,
            backlog=waiting.value.backlog if waiting else None,
            unrelayed=waiting.value.unrelayed if waiting else None,
        )

    async def servers(self) -> dict[str, ServerState]:
        """Database, storage and broker: whether each answers."""
        return (await self._servers.get()).value

    async def history(self) -> Kept[History] | None:
        """What was done in all; None where the database does not tell in time."""
        return await or_none(self._history)

    async def database(self) -> Kept[DatabaseReport]:
        """What the database tells of itself.

        Raises:
            TransientError: It does not answer.
        """
        return await self._report.get()

    async def offers(self) -> tuple[PipelineOffer, ...]:
        """The pipelines that workers have offered.

        Raises:
            TransientError: The database does not answer.
        """
        return (await self._fleet.get()).value.offers

    async def _jobs(self) -> dict[JobStatus, int] | None:
        """Counted without the database, once it was counted at all."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._watched.tally.by_status(None)
        except (FrameloomError, TimeoutError):
            return None

    async def _read_servers(self) -> dict[str, ServerState]:
        probes: dict[str, Probe] = {DATABASE: self._database_answers, **self._watched.probes}
        states = await asyncio.gather(*(self._probed(name, probe) for name, probe in probes.items()))
        return dict(zip(probes, states, strict=True))

    async def _database_answers(self) -> None:
        """By a read: a sign of life alone would not show that there is a majority to read from."""
        await self._watched.jobs.get(_NOBODY)

    async def _probed(self, name: str, probe: Probe) -> ServerState:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await probe()
        except TimeoutError:
            reason = f"No answer after {self._timeout_seconds:g}s"
            return ServerState(ok=False, message=_silent(name), reason=reason)
        except FrameloomError as error:
            return ServerState(ok=False, message=_silent(name), reason=error.message)
        took = round(loop.time() - began, 4)
        return ServerState(ok=True, message=f"{name.capitalize()} is accessible", seconds=took)

    async def _read_fleet(self) -> Fleet:
        members, offers = await asyncio.gather(self._watched.fleet.live(), self._watched.fleet.offers())
        return Fleet(tuple(members), tuple(offers))

    async def _read_waiting(self) -> Waiting:
        backlog, unrelayed = await asyncio.gather(
            self._watched.tasks.backlog(), self._watched.jobs.unrelayed()
        )
        return Waiting(backlog, unrelayed)

    async def _read_history(self) -> History:
        ends, annotations = await asyncio.gather(
            self._watched.tasks.ends(), self._watched.tasks.annotations_total()
        )
        return History(ends, annotations)


def _silent(server: str) -> str:
    return f"The {server} does not answer"
