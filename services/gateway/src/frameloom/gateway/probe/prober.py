"""The gateway's side of the probe: one zygote, a child for each upload, limits on all of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol, Self

import structlog

from frameloom.common.background import cancelled
from frameloom.common.documents import MediaFacts
from frameloom.gateway.errors import ProbeUnavailableError
from frameloom.gateway.probe.conversation import ChildGoneError, Conversation, Examined
from frameloom.gateway.probe.nursery import Child, ProcessLimits, Zygote, ZygoteLostError
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits

__all__ = ["Examined", "Prober", "ProcessLimits", "ProcessProber"]
log = structlog.get_logger(__name__)


class Prober(Protocol):
    """Tells what an object is."""

    async def probe(self, media: Examined) -> MediaFacts:
        """Looks into the object.

        Raises:
            Refused: It is not taken.
            ProbeUnavailableError: Nobody can look at the moment.
        """
        ...


class ProcessProber:
    """Looks into objects in processes of their own. One waits ready, so that no upload waits for a fork."""

    def __init__(self, limits: ProbeLimits, process: ProcessLimits) -> None:
        self._limits = limits
        self._process = process
        self._slots = asyncio.Semaphore(process.at_once)
        self._starting = asyncio.Lock()
        self._zygote: Zygote | None = None
        self._spare: Child | None = None
        self._refill: asyncio.Task[None] | None = None
        self._told = False

    @classmethod
    @asynccontextmanager
    async def running(cls, limits: ProbeLimits, process: ProcessLimits) -> AsyncIterator[Self]:
        """A prober that is ready, and whose processes end with the block."""
        prober = cls(limits, process)
        try:
            await prober._alive()
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
                except ZygoteLostError:
                    log.warning("the probe's process is gone; starting another")
        raise ProbeUnavailableError("Uploads can not be examined at the moment")

    async def _probed(self, child: Child, media: Examined) -> MediaFacts:
        conversation = Conversation(child, media, self._limits, self._process.timeout_seconds)
        try:
            return await conversation.verdict()
        except ChildGoneError:
            raise _death(await child.exit_code()) from None
        finally:
            child.close()
            if self._refill is None or self._refill.done():
                self._refill = asyncio.create_task(self._prepare(), name="probe-refill")

    async def _child(self) -> Child:
        child, self._spare = self._spare, None
        if child is not None and child.usable:
            return child
        return await Child.forked(await self._alive())

    async def _prepare(self) -> None:
        """Forks the child that waits. Where that fails now, the next upload tries, and is told."""
        if self._spare is None or not self._spare.usable:
            with suppress(ZygoteLostError, ProbeUnavailableError):
                self._spare = await Child.forked(await self._alive())

    async def _alive(self) -> Zygote:
        async with self._starting:
            if self._zygote is None or self._zygote.lost:
                self._zygote = await Zygote.started(self._process)
                self._tell(self._zygote)
            return self._zygote

    def _tell(self, zygote: Zygote) -> None:
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


def _death(code: int) -> Refused:
    """What the end of a child without a verdict means."""
    if code == -signal.SIGXCPU:
        return Refused(Reason.TIME)
    # The kernel kills who takes the last memory of the machine.
    return Refused(Reason.MEMORY if code == -signal.SIGKILL else Reason.CRASHED)
