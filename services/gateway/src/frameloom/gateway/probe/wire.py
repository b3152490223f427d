"""What the gateway and a child of the probe say to each other, over a socket pair.

The gateway sends the job; the child asks for ranges of the object, and ends with its verdict. A child may
have been taken over by what it looks at: the gateway believes nothing of it beyond these shapes.

With the zygote it speaks over another socket: orders one way, ends of children the other.
"""

from __future__ import annotations

import os
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from frameloom.common.documents import MediaFacts
from frameloom.gateway.probe.reasons import Reason
from frameloom.gateway.probe.rules import ProbeLimits

HEADER = struct.Struct("!BI")
"""Kind and length of a message."""
RANGE = struct.Struct("!QI")
"""Offset and length of what the child wants to read."""
MAX_RANGE_BYTES = 1024 * 1024
MAX_VERDICT_BYTES = 16 * 1024


ORDER = struct.Struct("!BI")
"""For the zygote: what to do, and the number of the child."""
ENDED = struct.Struct("!Ii")
"""Of the zygote: number of a child, and its exit code, negative for a signal."""
GREETING = struct.Struct("!BB")
"""Of the zygote, once: whether namespaces, and whether a filter of system calls, hold its children."""


class Order(IntEnum):
    """What the gateway wants of the zygote."""

    START = 1
    KILL = 2


class Kind(IntEnum):
    """What a message is."""

    JOB = 1
    READ = 2
    DATA = 3
    VERDICT = 4


class Job(BaseModel):
    """What the child is to look at."""

    model_config = ConfigDict(frozen=True)

    demuxer: str
    size_bytes: int
    limits: dict[str, float]

    @classmethod
    def of(cls, demuxer: str, size_bytes: int, limits: ProbeLimits) -> Job:
        """The job for an object of this size."""
        return cls(demuxer=demuxer, size_bytes=size_bytes, limits=asdict(limits))

    def probe_limits(self) -> ProbeLimits:
        """The limits, in their own shape."""
        whole = {"pixels", "streams", "bit_depth", "read_bytes"}
        return ProbeLimits(**{k: int(v) if k in whole else v for k, v in self.limits.items()})  # type: ignore[arg-type]


class Verdict(BaseModel):
    """What came of it: facts, or a reason with what belongs to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    media: MediaFacts | None = None
    reason: Reason | None = None
    facts: dict[str, int | float | str | list[str] | None] = Field(default_factory=dict, max_length=8)


@dataclass(frozen=True, slots=True)
class Channel:
    """The child's end: blocking, and by plain reads and writes, which is all that its jail lets through."""

    fd: int

    def send(self, kind: Kind, payload: bytes) -> None:
        """Sends one message."""
        data = memoryview(HEADER.pack(kind, len(payload)) + payload)
        while data:
            data = data[os.write(self.fd, data) :]

    def receive(self) -> tuple[int, bytes]:
        """The next message.

        Raises:
            EOFError: The gateway has gone.
        """
        kind, length = HEADER.unpack(self._exactly(HEADER.size))
        return kind, self._exactly(length)

    def fetch(self, offset: int, length: int) -> bytes:
        """A range of the object; less of it only at its end."""
        self.send(Kind.READ, RANGE.pack(offset, length))
        return self.receive()[1]

    def _exactly(self, length: int) -> bytes:
        parts: list[Any] = []
        while length:
            part = os.read(self.fd, length)
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)
