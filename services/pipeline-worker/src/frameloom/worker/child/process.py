"""The parent's side of a child process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Self

import structlog

from frameloom.worker import runtime
from frameloom.worker.child.protocol import LENGTH, MOST_BYTES, REPLY, Reply, Request, pack

_END_SECONDS = 5.0
log = structlog.get_logger(__name__)


class ChildDiedError(Exception):
    """The child process ended in the middle of its work.

    Attributes:
        returncode: As the system tells it; negative: the number of the signal.
    """

    def __init__(self, returncode: int | None) -> None:
        super().__init__(returncode)
        self.returncode = returncode

    def sentence(self) -> str:
        """What to tell a user."""
        if self.returncode is not None and self.returncode < 0:
            name = signal.Signals(-self.returncode).name
            cause = " (often: out of memory)" if -self.returncode == signal.SIGKILL else ""
            return f"The process that ran the pipeline was ended by {name}{cause}."
        return f"The process that ran the pipeline ended unexpectedly (exit code {self.returncode})."


class ChildProcess:
    """A started child; talk to it with :meth:`send` and :meth:`receive`."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._watch = asyncio.create_task(self._watched(), name=f"child {process.pid}")

    @classmethod
    async def start(cls) -> Self:
        """Starts a child in a process group of its own, so that all of it can be ended at once."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "frameloom.worker.child",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                start_new_session=True,
                env=runtime.environment(os.environ),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=2 * MOST_BYTES)
        return cls(process, reader, writer)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def send(self, message: Request) -> None:
        """Asks it for something.

        Raises:
            ChildDiedError: It is gone.
        """
        try:
            self._writer.write(pack(message))
            await self._writer.drain()
        except ConnectionError as error:
            raise ChildDiedError(await self._ended()) from error

    async def receive(self) -> Reply:
        """The next reply. Reading slowly makes the child wait, so memory stays bounded.

        Raises:
            ChildDiedError: It is gone.
        """
        try:
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ChildDiedError(await self._ended()) from error
        return REPLY.validate_json(body)

    async def kill(self) -> None:
        """Ends it and everything it started; returns when it is gone."""
        if self.alive:
            self._kill_group()
        await self._ended()

    async def _ended(self) -> int:
        """Its exit code; one that has closed its end and does not go is ended."""
        self._writer.close()
        _, left = await asyncio.wait({self._watch}, timeout=_END_SECONDS)
        if left:
            self._kill_group()
        return await self._process.wait()

    async def _watched(self) -> None:
        """When it has ended, whatever it started goes too: it may hold our socket, or a GPU."""
        await self._process.wait()
        self._kill_group()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the latter: macOS, of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
