"""Sends the same request over and over on a few connections, in a process of its own.

Reads a :class:`Plan` as JSON from standard input and writes a :class:`Load` as JSON. Raw sockets and no HTTP
library, so that of two cores next to nothing is its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import cast

try:
    import uvloop
except ImportError:
    _LOOP = None
else:
    _LOOP = uvloop.new_event_loop

_WARM_SECONDS = 0.5
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_UNIQUE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send.

    Attributes:
        host: Where to.
        port: Where to.
        connections: How many, each with one request at a time.
        seconds: How long, after half a second that is not counted.
        head: The request line and the headers, with the blank line.
        body: What follows, in base64.
        unique_at: Where in the body 16 random bytes go, new in each request; None: nowhere.
    """

    host: str
    port: int
    connections: int
    seconds: float
    head: str
    body: str = ""
    unique_at: int | None = None


@dataclass(slots=True)
class Load:
    """What came of it.

    Attributes:
        seconds: How long it was.
        latencies_ms: Of every answer within that time.
        statuses: How many answers had which status.
        asked: How many requests were answered in all, those before and after it too.
        own_seconds: Processor time that this process took.
    """

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    own_seconds: float = 0.0


class _Connection(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = bytearray()
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none, but does the same
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(_END)
        if head < 0:
            return
        lengths = bytes(self._buffer[:head]).lower().partition(_LENGTH)[2]
        if len(self._buffer) < head + len(_END) + int(lengths.partition(b"\r\n")[0] or b"0"):
            return
        status = self._buffer[9:12].decode()
        self._buffer.clear()
        if self._run.took(status, self._sent):
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._run.over:
            self._run.took("lost", self._sent)
        if not self.ended.done():
            self.ended.set_result(None)

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._run.request())


class _Run:
    def __init__(self, plan: Plan) -> None:
        self._head = plan.head.encode()
        self._body = base64.b64decode(plan.body)
        self._unique_at = plan.unique_at
        self._begin = time.perf_counter() + _WARM_SECONDS
        self._end = self._begin + plan.seconds
        self._latencies: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._last = self._begin
        self._asked = 0

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._end

    def request(self) -> bytes:
        if self._unique_at is None:
            return self._head + self._body
        rest = self._unique_at + _UNIQUE_BYTES
        return b"".join(
            [self._head, self._body[: self._unique_at], os.urandom(_UNIQUE_BYTES), self._body[rest:]]
        )

    def took(self, status: str, sent: float) -> bool:
        """Notes an answer; whether to go on."""
        now = time.perf_counter()
        self._asked += 1
        if now >= self._begin:
            self._latencies.append((now - sent) * 1000)
            self._statuses[status] += 1
            self._last = now
        return now < self._end

    def load(self) -> Load:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Load(
            max(self._last - self._begin, 1e-9),
            self._latencies,
            dict(self._statuses),
            self._asked,
            used.ru_utime + used.ru_stime,
        )


async def run(plan: Plan) -> Load:
    """Carries a plan out."""
    loop = asyncio.get_running_loop()
    going = _Run(plan)
    connections = [
        (await loop.create_connection(lambda: _Connection(going), plan.host, plan.port))[1]
        for _ in range(plan.connections)
    ]
    await asyncio.gather(*(connection.ended for connection in connections))
    return going.load()


def main() -> None:
    """Reads a plan, prints what came of it."""
    plan = Plan(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=_LOOP) as runner:
        json.dump(asdict(runner.run(run(plan))), sys.stdout)


if __name__ == "__main__":
    main()
