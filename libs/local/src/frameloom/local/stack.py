"""The whole embedded stack: the servers and all services, looked after until it is left."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from frameloom.local.access import ADDRESS_FILE, LocalAccess
from frameloom.local.errors import EmbeddedStackError, PortInUseError
from frameloom.local.health import ask, missing_services, wait_until_healthy
from frameloom.local.options import UpOptions
from frameloom.local.output import FileSink, LogSink, Tee, TerminalSink
from frameloom.local.servers import EmbeddedServers
from frameloom.local.servers.ports import is_free
from frameloom.local.supervisor import Service, Supervisor, Unit

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104  (names, not a binding)
_STORES, _BROKER, _SERVICES = 0, 1, 2


class Stack:
    """Servers and services as child processes.

    Used as an asynchronous context manager: entered, every part answers; left, every child has ended. The
    services are started while the servers still boot; each waits for its servers.

    Args:
        options: What to run and where.
        terminal: Where logs go besides the file; standard error, unless ``options.quiet``.

    Attributes:
        servers: The embedded servers.
        access: How to get into the gateway; known once the stack was started.
    """

    access: LocalAccess

    def __init__(self, options: UpOptions, *, terminal: LogSink | None = None) -> None:
        self.options = options
        self.servers = EmbeddedServers(options.data, broker_storage=options.broker_storage)
        self._terminal = terminal
        self._port = options.port
        self._file: FileSink | None = None
        self._sink: LogSink = Tee([])
        self._supervisor: Supervisor | None = None
        self._services: list[Service] = []

    @property
    def base_url(self) -> str:
        """Where the gateway answers, without a slash at the end."""
        host = self._address
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def pids(self) -> dict[str, int | None]:
        """The process ids of all parts by name; None for one that is not running."""
        return {unit.name: unit.pid for unit in self._units()}

    @property
    def api_key(self) -> str:
        """A key with which the gateway allows everything."""
        return self.access.api_key

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts everything and waits until every part answers.

        Raises:
            PortInUseError: The gateway's port belongs to another process.
            DataDirectoryInUseError: Another stack runs on the data directory.
            EmbeddedStackError: A part could not be started, or did not answer in time.
        """
        self._check_port()
        self.servers.open()
        self._port = self.options.port or self.servers.gateway_port
        try:
            self.access = LocalAccess.of(self.servers.directory, {**os.environ, **self.options.environment})
            if not self.options.only_servers:
                self.servers.directory.keep(ADDRESS_FILE, self.base_url)
            supervisor = self._supervisor = Supervisor(self._open_log(), self.options.restart)
            boot = asyncio.create_task(self._boot(supervisor))
            await self._unless_failed(boot, supervisor)
        except BaseException:
            await self.stop()
            raise

    async def failed(self) -> None:
        """Waits until a part can not be kept alive.

        Raises:
            GaveUpError: Which part, why, and its last lines.
        """
        if self._supervisor is not None:
            await self._supervisor.failed()

    async def stop(self) -> None:
        """Ends the services, then the servers. Does nothing when nothing runs."""
        try:
            if self._supervisor is not None:
                await self._supervisor.stop()
        finally:
            self._supervisor = None
            await self.servers.stop()
            if self._file is not None:
                self._file.close()
                self._file = None

    async def kill(self) -> None:
        """Ends all children at once; ``stop`` is still to be awaited."""
        await asyncio.gather(*(unit.kill() for unit in self._units()))

    async def _boot(self, supervisor: Supervisor) -> None:
        self._services = [] if self.options.only_servers else self._make_services()
        for service in self._services:
            await service.start()
            supervisor.keep(service, layer=_SERVICES)
        await self.servers.boot()
        supervisor.keep(self.servers.documents, layer=_STORES)
        supervisor.keep(self.servers.objects, layer=_STORES)
        supervisor.keep(self.servers.broker, layer=_BROKER, after_restart=self._after_broker(supervisor))
        if not self.options.only_servers:
            await self._until_ready()

    def _after_broker(self, supervisor: Supervisor) -> Callable[[], Awaitable[None]] | None:
        if self.options.broker_storage == "s3":
            return None
        # A broker that kept its topics in memory has none now; services make them when they start.
        return lambda: supervisor.restart(_SERVICES)

    async def _until_ready(self) -> None:
        limit = self.options.ready_seconds
        try:
            async with asyncio.timeout(limit):
                await wait_until_healthy(self._address, self._port)
        except TimeoutError:
            missing = missing_services(await asyncio.to_thread(ask, self._address, self._port))
            raise EmbeddedStackError(
                f"Not every part answered within {limit:.0f} s; missing: {', '.join(missing)}",
                hint=f"Their output is in {self.servers.directory.logs / 'stack.log'}.",
            ) from None

    @staticmethod
    async def _unless_failed(boot: asyncio.Task[None], supervisor: Supervisor) -> None:
        failure = asyncio.ensure_future(supervisor.failed())
        try:
            await asyncio.wait({boot, failure}, return_when=asyncio.FIRST_COMPLETED)
            await (failure if failure.done() else boot)
        finally:
            for task in (boot, failure):
                task.cancel()
            await asyncio.gather(boot, failure, return_exceptions=True)

    def _make_services(self) -> list[Service]:
        environment = self._environment()
        services: list[Service] = []
        for name, command in self.options.commands.items():
            copies = self.options.workers if name == "worker" else 1
            services += [
                Service(
                    name if copies == 1 else f"{name}-{number}",
                    command,
                    environment=environment,
                    sink=self._sink,
                    grace_seconds=self.options.grace_seconds,
                )
                for number in range(1, copies + 1)
            ]
        return services

    def _environment(self) -> dict[str, str]:
        return {
            "FRAMELOOM_GATEWAY_ENVIRONMENT": "embedded",
            "FRAMELOOM_WORKER_NICE": "10",  # the pipelines yield to what users wait for
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "FRAMELOOM_LOG_FORMAT": self.options.log_format,
            **self.servers.environment(),
            **self.access.environment(),
            "FRAMELOOM_GATEWAY_HOST": self.options.host,
            "FRAMELOOM_GATEWAY_PORT": str(self._port),
            "FRAMELOOM_WORKER_CACHE_DIR": str(self.servers.directory.root / "cache"),
            **self.options.environment,
        }

    def _units(self) -> list[Unit]:
        return [*self.servers.all, *self._services]

    @property
    def _address(self) -> str:
        return _ANY_ADDRESS.get(self.options.host, self.options.host)

    def _check_port(self) -> None:
        asked_for = not self.options.only_servers and self.options.port != 0
        if asked_for and not is_free(self.options.port, self.options.host):
            raise PortInUseError(
                f"Port {self.options.port} on {self.options.host} can not be listened on: it is in use",
                hint="Stop what uses it, or choose another with --port (0 takes a free one).",
            )

    def _open_log(self) -> LogSink:
        self._file = FileSink(self.servers.directory.log_path("stack"))
        sinks: list[LogSink] = [self._file]
        if self._terminal is not None or not self.options.quiet:
            sinks.append(self._terminal or TerminalSink(sys.stderr))
        self._sink = Tee(sinks)
        return self._sink
