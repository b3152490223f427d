"""What the three servers have in common: a child process with a log, a folder, and a readiness question."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from frameloom.local.errors import ServerStartError
from frameloom.local.process import ChildProcess, describe_exit
from frameloom.local.servers.directory import DataDirectory, tail

_START_SECONDS = 30.0
_FIRST_POLL_SECONDS = 0.005
_LONGEST_POLL_SECONDS = 0.1
_PROBE_SECONDS = 3.0


class Server(ABC):
    """A server of the embedded stack, which can be started, stopped, killed and restarted on its own.

    Args:
        directory: Where its data and its log lie.
        port: Its loopback port.

    Attributes:
        start_seconds: How long the last start took.
    """

    name: str
    stop_grace_seconds = 10.0

    def __init__(self, directory: DataDirectory, port: int) -> None:
        self.directory = directory
        self.port = port
        self.start_seconds = 0.0
        self._process: ChildProcess | None = None

    @property
    def address(self) -> str:
        """``host:port`` of the server."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.returncode is None

    @property
    def log_path(self) -> Path:
        """The file that has its output."""
        return self.directory.logs / f"{self.name}.log"

    async def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            ServerMissingError: Its program is not installed.
            ServerStartError: It ended or did not answer; the message ends with its last words.
        """
        if self.running:
            return
        began = time.monotonic()
        folder = self.directory.folder(self.name)
        self.prepare(folder)
        self._process = await self._spawn(folder)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._until_ready(self._process)
        except TimeoutError:
            await self.kill()
            raise self._failure(f"did not answer on {self.address} within {_START_SECONDS:.0f} s") from None
        except BaseException:
            await self.kill()
            raise
        self.start_seconds = time.monotonic() - began

    async def stop(self) -> None:
        """Ends the server in order: SIGTERM, a grace, SIGKILL."""
        if self._process is not None:
            await self._process.stop(self.stop_grace_seconds)
            self.clean_up()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the server; nothing happens if it has ended."""
        if self._process is not None:
            self._process.signal(number)

    async def kill(self) -> None:
        """Ends the server at once, as a crash would (SIGKILL)."""
        if self._process is not None:
            await self._process.kill()
            self.clean_up()

    async def restart(self) -> None:
        """Stops the server, if it runs, and starts it over the same data on the same port."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Waits for the end of the process; returns its exit status.

        Raises:
            RuntimeError: It was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    def last_words(self) -> str:
        """The last lines of its log."""
        return tail(self.log_path)

    @abstractmethod
    def command(self, folder: Path) -> list[str]:
        """The command line, without a secret in it."""

    @abstractmethod
    async def probe(self) -> bool:
        """Asks the server whether it serves; False or an OSError means not yet."""

    def prepare(self, folder: Path) -> None:  # noqa: B027  (optional)
        """Makes what the server needs in its folder before it starts."""

    def variables(self) -> Mapping[str, str]:
        """Environment variables of this server only."""
        return {}

    def clean_up(self) -> None:  # noqa: B027  (optional)
        """Removes what the ended server left outside its folder."""

    async def _spawn(self, folder: Path) -> ChildProcess:
        # Its own home and working directory: no configuration file of the user can change what it does.
        inherited = {
            name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ
        }
        env = {**inherited, "HOME": str(folder), **self.variables()}
        with self.directory.log_path(self.name).open("ab") as output:
            return await ChildProcess.spawn(self.command(folder), env=env, cwd=folder, output=output)

    async def _until_ready(self, process: ChildProcess) -> None:
        pause = _FIRST_POLL_SECONDS
        ended = asyncio.ensure_future(process.wait())
        try:
            while not await self._answers():  # bounded by the caller's deadline
                await asyncio.wait({ended}, timeout=pause)
                if ended.done():
                    raise self._failure(f"ended at start with {describe_exit(ended.result())}")
                pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
        finally:
            ended.cancel()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                return await self.probe()
        except (OSError, EOFError, TimeoutError):
            return False

    def _failure(self, what: str) -> ServerStartError:
        last = tail(self.log_path)
        return ServerStartError(
            f"The embedded {self.name} server {what}" + (f"; its last lines:\n{last}" if last else ""),
            hint=f"The whole log is {self.log_path}.",
        )
