"""What every service does around its work: settings errors told in one line, logs, signals, announcements."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

import structlog

from frameloom.common import __version__
from frameloom.common.background import in_background, set_within
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import FleetMember, Liveness, Service
from frameloom.common.errors import FrameloomError, TransientError
from frameloom.common.logging import configure_logging
from frameloom.common.ports.stores import FleetStore
from frameloom.common.settings import FleetSettings, LogSettings, load

log = structlog.get_logger(__name__)
EXIT_CONFIGURATION = 2
EXIT_FAILED = 1
_WATCH_SECONDS = 0.5


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

    Attributes:
        member: What is told; replace it with :meth:`update`.
    """

    def __init__(self, store: FleetStore, settings: FleetSettings, service: Service, clock: Clock) -> None:
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
        self._changed = asyncio.Event()

    def update(self, **changes: object) -> None:
        """Changes what is told, and tells it soon."""
        self.member = self.member.model_copy(update=changes)
        self._changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Announces in the background, the first time before it yields; says good-bye at the end."""
        await self._store.announce(self.member)
        try:
            async with in_background(self._run(), "announcer"):
                yield
        finally:
            with suppress(TransientError):  # silence is noticed too, only later
                await self._store.leave(self.member.id)

    async def _run(self) -> None:
        while True:
            await set_within(self._changed, self._every)
            self._changed.clear()
            try:
                await self._store.announce(self.member)
            except TransientError as error:
                log.warning("could not announce", reason=str(error))
