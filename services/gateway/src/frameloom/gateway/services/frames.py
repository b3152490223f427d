"""One message of a live feed, and the forms it takes on the wire: each is made once, whoever gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any


class Format(StrEnum):
    """In whose words a feed tells."""

    VIEWER = "viewer"
    """Those of VideoAnnotator's viewer: ``job.update``, ``job.log``, ``job.complete``, …"""
    EVENTS = "events"
    """Our own: the types of the job's event log, and ``task.progress``."""


@dataclass(frozen=True)
class Frame:
    """One message. Shared by all who get it, so its wire forms are kept.

    Attributes:
        event: Its name.
        data: Its body, of JSON types.
        id: Where a client goes on after a break; telemetry has none.
        named: Sent under its name. Unnamed ones reach a browser's ``onmessage``, as the original sends them.
    """

    event: str
    data: Mapping[str, Any]
    id: str | None = None
    named: bool = True

    @cached_property
    def sse(self) -> bytes:
        """As a server-sent event."""
        lines = [f"id: {self.id}"] if self.id is not None else []
        if self.named:
            lines.append(f"event: {self.event}")
        lines.append(f"data: {_json(self.data)}")
        return ("\n".join(lines) + "\n\n").encode()

    @cached_property
    def message(self) -> bytes:
        """As the text of a WebSocket message."""
        return _json({"event": self.event, "id": self.id, "data": self.data}).encode()


def iso(time: datetime) -> str:
    """A time as it is written: UTC, milliseconds, ``Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connected(form: Format, now: datetime) -> Frame:
    """The first message of every feed."""
    body = {"type": "connected", "timestamp": iso(now)}
    return Frame("connected", body, named=form is not Format.VIEWER)


def heartbeat(form: Format, now: datetime) -> Frame:
    """Says in a silence that the server is there."""
    body = {"type": "heartbeat", "timestamp": iso(now), "message": "Server is alive"}
    return Frame("heartbeat", body, named=form is not Format.VIEWER)


def lagged(missed: int | None, now: datetime) -> Frame:
    """The client was too slow; what it missed follows from the documents. None: nobody knows how many."""
    return Frame("lagged", {"type": "lagged", "missed": missed, "timestamp": iso(now)})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
