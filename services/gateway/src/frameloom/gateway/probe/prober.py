"""The gateway's side of the probe: one zygote, a child for each upload, limits on all of them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, Self

import structlog
from pydantic import ValidationError

from frameloom.common.background import cancelled
from frameloom.common.documents import MediaFacts
from frameloom.gateway.errors import ProbeUnavailableError
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits
from frameloom.gateway.probe.wire import (
    ENDED,
    GREETING,
    HEADER,
    MAX_RANGE_BYTES,
    MAX_VERDICT_BYTES,
    ORDER,
    RANGE,
    Job,
    Kind,
    Order,
    Verdict,
)

log = structlog.get_logger(__name__)
_START_SECONDS = 30.0
_END_SECONDS = 5.0
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""Of the environment; its secrets are no business of a process that looks at strangers' files."""


@dataclass(frozen=True, slots=True)
class Examined:
    """An object that is to be examined.

    Attributes:
        demuxer: The one that its first bytes call for.
        size_bytes: Of the whole.
        read: Answers a range by offset and length.
    """

    demuxer: str
    size_bytes: int
    read: Callable[[int, int], Awaitable[bytes]]


class Prober(Protocol):
    """Tells what an object is."""

    async def probe(self, media: Examined) -> MediaFacts:
        """Looks into the object.

        Raises:
            Refused: It is not taken.
            ProbeUnavailableError: Nobody can look at the moment.
        """
        ...


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


class _ZygoteLostError(Exception):
    """The process that forks is gone."""


class ProcessProber:
    """Looks into objects in processes of their own; one child waits ready, so that no upload waits for a fork."""

    def __init__(self, limits: ProbeLimits, process: ProcessLimits) -> None:
        self._limits = limits
        self._process = process
        self._slots = asyncio.Semaphore(process.at_once)
        self._starting = asyncio.Lock()
        self._zygote: _Zygote | None = None
        self._spare: _Child | None = None
        self._refill: asyncio.Task[None] | None = None
        self._told = False

    @classmethod
    @asynccontextmanager
    async def running(cls, limits: ProbeLimits, process: ProcessLimits) -> AsyncIterator[Self]:
        """A prober that is ready, and whose processes end with the block."""
        prober = cls(limits, process)
        try:
            await prober._prepare()
            yield prober
        finally:
            if prober._refill is not None:
                await cancelled(prober._refill)
            if prober._spare is not None:
                prober._spare.close()
            if prober._zygote is not None:
                await prober._zygote.end()

    async def probe(self, media: Examined) -> MediaFacts:
        """Looks into the object."""
        async with self._slots:
            for _ in range(2):
                try:
                    return await self._probed(await self._child(), media)
                except _ZygoteLostError:
                    log.warning("the probe's process is gone; starting another")
        raise ProbeUnavailableError("Uploads can not be examined at the moment")

    async def _probed(self, child: _Child, media: Examined) -> MediaFacts:
        conversation = _Conversation(child, media, self._limits, self._process.timeout_seconds)
        try:
            return await conversation.verdict()
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _death(await child.ended) from None
        except TimeoutError:
            raise Refused(Reason.TIME, limit=self._process.timeout_seconds) from None
        finally:
            child.close()
            if self._refill is None or self._refill.done():
                self._refill = asyncio.create_task(self._prepare(), name="probe-refill")

    async def _child(self) -> _Child:
        child, self._spare = self._spare, None
        if child is not None and child.usable:
            return child
        return await _Child.forked(await self._alive())

    async def _prepare(self) -> None:
        """Forks the child that waits. Where that fails now, the next upload tries, and is told."""
        if self._spare is None or not self._spare.usable:
            with suppress(_ZygoteLostError, ProbeUnavailableError):
                self._spare = await _Child.forked(await self._alive())

    async def _alive(self) -> _Zygote:
        async with self._starting:
            if self._zygote is None or self._zygote.lost:
                self._zygote = await _Zygote.started(self._process)
                self._tell(self._zygote)
            return self._zygote

    def _tell(self, zygote: _Zygote) -> None:
        if self._told:
            return
        self._told = True
        if zygote.secluded and zygote.filtered:
            log.info("uploads are examined without network, files and processes")
            return
        log.warning(
            "uploads are examined with less isolation than there could be",
            namespaces=zygote.secluded,
            system_call_filter=zygote.filtered,
            hint="Allow user namespaces, and install libseccomp.",
        )


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that looks at one upload.

    Attributes:
        ended: Its exit code, once it has ended.
    """

    zygote: _Zygote
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Future[int]

    @classmethod
    async def forked(cls, zygote: _Zygote) -> _Child:
        """A child that waits for its job.

        Raises:
            _ZygoteLostError: There is nobody to fork it.
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

    def close(self) -> None:
        """Ends it, if it has not ended."""
        self.zygote.kill(self.ended)
        self.writer.close()


def _death(code: int) -> Refused:
    """What the end of a child without a verdict means."""
    if code == -signal.SIGXCPU:
        return Refused(Reason.TIME)
    # The kernel kills who takes the last memory of the machine.
    return Refused(Reason.MEMORY if code == -signal.SIGKILL else Reason.CRASHED)


class _Conversation:
    """With one child."""

    def __init__(self, child: _Child, media: Examined, limits: ProbeLimits, seconds: float) -> None:
        self._reader = child.reader
        self._writer = child.writer
        self._media = media
        self._limits = limits
        self._seconds = seconds
        self._sent_bytes = 0

    async def verdict(self) -> MediaFacts:
        """Gives the child what it asks for, until it has decided.

        Raises:
            Refused: The media are not taken.
            TimeoutError: It took too long.
        """
        job = Job.of(self._media.demuxer, self._media.size_bytes, self._limits)
        self._send(Kind.JOB, job.model_dump_json().encode())
        while True:
            kind, payload = await self._heard()
            if kind == Kind.VERDICT:
                return _believed(payload)
            if kind != Kind.READ or len(payload) != RANGE.size:
                raise Refused(Reason.CRASHED)
            await self._give(*RANGE.unpack(payload))

    async def _heard(self) -> tuple[int, bytes]:
        """The next message; the time until it comes is the child's."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(self._seconds):
            kind, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            if length > MAX_VERDICT_BYTES:
                raise Refused(Reason.CRASHED)
            payload = await self._reader.readexactly(length)
        self._seconds -= loop.time() - began
        return kind, payload

    async def _give(self, offset: int, length: int) -> None:
        length = min(length, MAX_RANGE_BYTES, max(0, self._media.size_bytes - offset))
        self._sent_bytes += length
        if self._sent_bytes > self._limits.read_bytes:
            raise Refused(Reason.READS, limit=self._limits.read_bytes)
        self._send(Kind.DATA, await self._media.read(offset, length) if length else b"")

    def _send(self, kind: Kind, payload: bytes) -> None:
        """Without waiting: a child takes one message at a time, and asks before the next."""
        self._writer.write(HEADER.pack(kind, len(payload)) + payload)


def _believed(payload: bytes) -> MediaFacts:
    try:
        verdict = Verdict.model_validate_json(payload)
    except ValidationError:
        raise Refused(Reason.CRASHED) from None
    if verdict.media is not None:
        return verdict.media
    raise Refused(verdict.reason or Reason.CRASHED, **verdict.facts)


class _Zygote:
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
    async def started(cls, limits: ProcessLimits) -> _Zygote:
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
            _ZygoteLostError: There is nobody to do it.
        """
        self._next = (self._next + 1) % 2**32
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._control, [ORDER.pack(Order.START, self._next)], [channel.fileno()])
        except OSError:
            self._lose()
            raise _ZygoteLostError from None
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
                ended.set_exception(_ZygoteLostError())
                ended.exception()
        self._children.clear()
        self._numbers.clear()
