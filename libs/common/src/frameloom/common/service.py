"""What every service does around its work: settings errors told in one line, logs, signals, announcements."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import structlog

from frameloom.common import __version__
from frameloom.common.background import in_background, set_within
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import FleetMember, Liveness, Service
from frameloom.common.documents.base import Part
from frameloom.common.documents.facts import Facts
from frameloom.common.errors import FrameloomError, TransientError
from frameloom.common.host import HostProbe
from frameloom.common.logging import configure_logging
from frameloom.common.ports.stores import FleetStore
from frameloom.common.sampling import Sampled
from frameloom.common.settings import FleetSettings, LogSettings, load

log = structlog.get_logger(__name__)
EXIT_CONFIGURATION = 2
EXIT_FAILED = 1
_WATCH_SECONDS = 0.5
_SOON_SECONDS = 0.5
_UNSAMPLED = Facts()


class Shutdown:
    """Set when the process was asked to end."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Asks the process to end."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether it was asked."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Returns when the process was asked to end."""
        await self._asked.wait()

    async def wait_or_failure(self, failed: Callable[[], BaseException | None]) -> None:
        """Returns when asked to end; raises what ``failed`` tells, as soon as it tells something."""
        while not self.asked:
            if (failure := failed()) is not None:
                raise failure
            await set_within(self._asked, _WATCH_SECONDS)


Main = Callable[[Shutdown], Awaitable[None]]


def run(
    service: Service, main: Main, *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> NoReturn:
    """Runs a service until SIGINT or SIGTERM, and exits the process.

    Exit codes: 0 asked to end; 1 failed, with the reason in the log; 2 the settings can not work.
    """
    try:
        configure_logging(service, load(LogSettings))
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_until_signal(main))
    except FrameloomError as error:
        log.error("stopped", reason=error.message, hint=error.hint, code=error.code)  # noqa: TRY400 - a sentence, no traceback
        sys.exit(EXIT_CONFIGURATION if error.code == "CONFIGURATION" else EXIT_FAILED)
    log.info("ended")
    sys.exit(0)


async def _until_signal(main: Main) -> None:
    shutdown = Shutdown()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, shutdown.ask)
    await main(shutdown)


class Announcer:
    """Tells the fleet that this process lives, every few seconds and at once when something changed.

    Host and process are sampled by a thread beside it, as often as they are told.

    Args:
        store: Where it is told.
        settings: How often.
        service: Which service this is.
        clock: Stamps the start and the samples.
        folder: Whose disk is told.
        versions: Of libraries that matter to what the service makes.
        parts: Gives the service's own facts, by their name in :class:`Facts`. Called on the event loop before
            every announcement, so it must return at once.

    Attributes:
        member: What was told last; change it with :meth:`update`.
    """

    def __init__(
        self,
        store: FleetStore,
        settings: FleetSettings,
        service: Service,
        clock: Clock,
        *,
        folder: Path | None = None,
        versions: Mapping[str, str] | None = None,
        parts: Callable[[], Mapping[str, Part]] = dict,
    ) -> None:
        self.member = FleetMember(
            id=new_id(),
            service=service,
            host=settings.host,
            pid=os.getpid(),
            version=__version__,
            started_at=clock.now(),
            liveness=Liveness.HEALTHY,
        )
        self._store = store
        self._every = settings.announce_every_seconds
        self._parts = parts
        self._clock = clock
        self._probe = HostProbe(folder)
        self._versions = dict(versions or {})
        self._sampled = Sampled(self._sample, self._every, "host-sampler", _UNSAMPLED)
        self._changed = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None

    def update(self, **changes: object) -> None:
        """Changes what is told, and tells it at once."""
        self.member = self.member.model_copy(update=changes)
        self._changed.set()

    def touch(self) -> None:
        """The service's own facts have changed: tell them within half a second, many changes at once."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(_SOON_SECONDS, self._changed.set)

    def current(self) -> FleetMember:
        """This process as it is now: the latest sample, and the service's own facts of this moment."""
        facts = self._sampled.latest.model_copy(update={"versions": self._versions, **self._parts()})
        return self.member.model_copy(update={"facts": facts})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Announces in the background, the first time before it yields; says good-bye at the end."""
        async with self._sampled.running():
            await self._announce()
            try:
                async with in_background(self._run(), "announcer"):
                    yield
            finally:
                self._told_soon()
                with suppress(TransientError):  # silence is noticed too, only later
                    await self._store.leave(self.member.id)

    async def _run(self) -> None:
        while True:
            await set_within(self._changed, self._every)
            self._changed.clear()
            self._told_soon()
            try:
                await self._announce()
            except TransientError as error:
                log.warning("could not announce", reason=str(error))

    def _told_soon(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    async def _announce(self) -> None:
        self.member = self.current()
        await self._store.announce(self.member)

    def _sample(self) -> Facts:
        host, process = self._probe.read()
        return Facts(sampled_at=self._clock.now(), host=host, process=process)
