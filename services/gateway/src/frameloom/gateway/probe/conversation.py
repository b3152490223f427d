"""What the gateway says to a child, and what it believes of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import ValidationError

from frameloom.common.documents import MediaFacts
from frameloom.gateway.probe.nursery import Child
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits
from frameloom.gateway.probe.wire import (
    HEADER,
    MAX_RANGE_BYTES,
    MAX_VERDICT_BYTES,
    RANGE,
    Job,
    Kind,
    Verdict,
)


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


class ChildGoneError(Exception):
    """A child ended without a verdict."""


class Conversation:
    """With one child."""

    def __init__(self, child: Child, media: Examined, limits: ProbeLimits, seconds: float) -> None:
        self._reader = child.reader
        self._writer = child.writer
        self._media = media
        self._limits = limits
        self._seconds = self._left = seconds
        self._sent_bytes = 0

    async def verdict(self) -> MediaFacts:
        """Gives the child what it asks for, until it has decided.

        Raises:
            Refused: The media are not taken, or it took too long.
            ChildGoneError: It ended without a verdict.
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
        try:
            async with asyncio.timeout(self._left):
                kind, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                payload = await self._reader.readexactly(min(length, MAX_VERDICT_BYTES))
        except TimeoutError:
            raise Refused(Reason.TIME, limit=self._seconds) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChildGoneError from None
        self._left -= loop.time() - began
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
