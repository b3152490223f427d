"""The process that forks, and its children, as the gateway sees them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

from frameloom.gateway.errors import ProbeUnavailableError
from frameloom.gateway.probe.wire import ENDED, GREETING, ORDER, Order

_START_SECONDS = 30.0
_END_SECONDS = 5.0
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""Of the environment; its secrets are no business of a process that looks at strangers' files."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What a child may use, and how many there are.

    Attributes:
        timeout_seconds: How long a child may take, without the time that the object store takes.
        cpu_seconds: Its processor time.
        memory_bytes: Its memory.
        at_once: How many children run.
    """

    timeout_seconds: float
    cpu_seconds: int
    memory_bytes: int
    at_once: int


class ZygoteLostError(Exception):
    """The process that forks is gone."""


class Zygote:
    """The process that forks, as the gateway sees it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self.lost = False
        self.secluded = False
        self.filtered = False
        self._process = process
        self._control = control
        self._children: dict[int, asyncio.Future[int]] = {}
        self._numbers: dict[asyncio.Future[int], int] = {}
        self._next = 0
        self._heard = b""

    @classmethod
    async def started(cls, limits: ProcessLimits) -> Zygote:
        """A zygote that is ready.

        Raises:
            ProbeUnavailableError: It does not start.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "frameloom.gateway.probe.zygote"),
                *(str(theirs.fileno()), str(limits.memory_bytes), str(limits.cpu_seconds)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            )
        made = cls(process, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                greeting = await asyncio.get_running_loop().sock_recv(ours, GREETING.size)
        except TimeoutError:
            greeting = b""
        except BaseException:
            await made.end()
            raise
        if len(greeting) < GREETING.size:
            await made.end()
            raise ProbeUnavailableError("The process that examines uploads does not start")
        secluded, filtered = GREETING.unpack(greeting)
        made.secluded, made.filtered = bool(secluded), bool(filtered)
        asyncio.get_running_loop().add_reader(ours.fileno(), made._hear)
        return made

    def start(self, channel: socket.socket) -> asyncio.Future[int]:
        """Forks a child that talks over this socket; the future tells its exit code.

        Raises:
            ZygoteLostError: There is nobody to do it.
        """
        self._next = (self._next + 1) % 2**32
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._control, [ORDER.pack(Order.START, self._next)], [channel.fileno()])
        except OSError:
            self._lose()
            raise ZygoteLostError from None
        self._children[self._next] = ended
        self._numbers[ended] = self._next
        return ended

    def kill(self, child: asyncio.Future[int]) -> None:
        """Ends a child, if it has not ended."""
        if child.done():
            if not child.cancelled():
                child.exception()
            return
        with suppress(OSError):
            self._control.send(ORDER.pack(Order.KILL, self._numbers[child]))

    async def end(self) -> None:
        """Ends it, and all its children."""
        self._lose()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _hear(self) -> None:
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        self._heard += data
        while len(self._heard) >= ENDED.size:
            number, code = ENDED.unpack(self._heard[: ENDED.size])
            self._heard = self._heard[ENDED.size :]
            if (ended := self._children.pop(number, None)) is not None:
                del self._numbers[ended]
                if not ended.done():
                    ended.set_result(code)

    def _lose(self) -> None:
        """Nobody will tell of its children any more."""
        if self.lost:
            return
        self.lost = True
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        for ended in self._children.values():
            if not ended.done():
                ended.set_exception(ZygoteLostError())
                ended.exception()
        self._children.clear()
        self._numbers.clear()


@dataclass(frozen=True, slots=True)
class Child:
    """A process that looks at one upload.

    Attributes:
        ended: Its exit code, once it has ended.
    """

    zygote: Zygote
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Future[int]

    @classmethod
    async def forked(cls, zygote: Zygote) -> Child:
        """A child that waits for its job.

        Raises:
            ZygoteLostError: There is nobody to fork it.
        """
        ours, theirs = socket.socketpair()
        try:
            ended = zygote.start(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(zygote, *await asyncio.open_connection(sock=ours), ended)

    @property
    def usable(self) -> bool:
        """Whether it still waits."""
        return not self.ended.done() and not self.zygote.lost

    async def exit_code(self) -> int:
        """How it ended; it is given a moment for it, and killed then.

        Raises:
            ZygoteLostError: Nobody can tell.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                return await asyncio.shield(self.ended)
        self.zygote.kill(self.ended)
        return await self.ended

    def close(self) -> None:
        """Ends it, if it has not ended."""
        self.zygote.kill(self.ended)
        self.writer.close()
