"""What this gateway has answered: totals, the latest requests, who asked when. Bounded, and in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from frameloom.common.documents.facts import GatewayFacts

_REMEMBERED_KEYS = 10_000
_HOUR = 60


@dataclass(frozen=True, slots=True)
class Answered:
    """One request and how it was answered. Neither headers nor keys nor the path's own values are kept.

    Attributes:
        at: When it came.
        request_id: As in ``X-Request-ID``; None: it was answered before it got a name.
        method: Upper case.
        operation: ``operationId``; None: no operation of the API.
        path: The template of the route; None: there is no such route.
        status: As answered; 499: the client left before.
        seconds: From its headers until the answer began.
        body_bytes: Received in its body.
        tenant: On whose behalf; empty: nobody's.
        key_id: The key that it came with.
    """

    at: datetime
    request_id: str | None
    method: str
    operation: str | None
    path: str | None
    status: int
    seconds: float
    body_bytes: int
    tenant: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A key's use of this gateway since it started."""

    first: datetime
    last: datetime
    requests: int


class Recorder:
    """Keeps the books of all requests.

    Args:
        entries: How many of the latest requests are remembered.
        streams: Tells how many event streams are open.
    """

    def __init__(self, entries: int, streams: Callable[[], int]) -> None:
        self.entries = entries
        self._streams = streams
        self._latest: deque[Answered] = deque(maxlen=entries)
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._minutes: deque[tuple[datetime, int]] = deque(maxlen=_HOUR + 1)
        self._observers: list[Callable[[Answered], None]] = []
        self._total = 0
        self._seconds = 0.0
        self._body_bytes = 0
        self._in_progress = 0

    def observe(self, observer: Callable[[Answered], None]) -> None:
        """Has every answer told to somebody else too."""
        self._observers.append(observer)

    def began(self) -> None:
        """A request has come."""
        self._in_progress += 1

    def ended(self, answered: Answered) -> None:
        """A request was answered, or its client has left."""
        self._in_progress -= 1
        self._total += 1
        self._seconds += answered.seconds
        self._body_bytes += answered.body_bytes
        self._latest.append(answered)
        self._count_minute(answered.at)
        if answered.key_id is not None:
            self._note(answered.key_id, answered.at)
        for observer in self._observers:
            observer(answered)

    def facts(self) -> GatewayFacts:
        """The totals, as of now."""
        return GatewayFacts(
            requests_total=self._total,
            response_seconds_total=self._seconds,
            requests_in_progress=self._in_progress,
            streams_open=self._streams(),
            body_bytes_total=self._body_bytes,
        )

    def latest(self, limit: int, tenant: str | None) -> list[Answered]:
        """The latest requests, the newest last.

        Args:
            limit: At most so many.
            tenant: Only those on its behalf; None: all.
        """
        found: list[Answered] = []
        for answered in reversed(self._latest):
            if tenant is None or answered.tenant == tenant:
                found.append(answered)
                if len(found) == limit:
                    break
        return found[::-1]

    def count(self, tenant: str | None) -> int:
        """How many requests are remembered, as for :meth:`latest`."""
        return len(self._latest) if tenant is None else sum(one.tenant == tenant for one in self._latest)

    def last_hour(self, now: datetime) -> int:
        """How many requests came in the last 60 minutes, to the minute."""
        since = now - timedelta(minutes=_HOUR)
        return sum(count for minute, count in self._minutes if minute >= since)

    def session(self, key_id: str | None) -> Session | None:
        """A key's use of this gateway; None: it was not used here, or long ago."""
        return None if key_id is None else self._sessions.get(key_id)

    def _count_minute(self, at: datetime) -> None:
        minute = at.replace(second=0, microsecond=0)
        if self._minutes and self._minutes[-1][0] >= minute:
            last, count = self._minutes.pop()
            self._minutes.append((last, count + 1))
        else:
            self._minutes.append((minute, 1))

    def _note(self, key_id: str, at: datetime) -> None:
        known = self._sessions.get(key_id)
        self._sessions[key_id] = Session(known.first if known else at, at, known.requests + 1 if known else 1)
        self._sessions.move_to_end(key_id)
        if len(self._sessions) > _REMEMBERED_KEYS:
            self._sessions.popitem(last=False)


def mean_seconds(facts: Iterable[GatewayFacts]) -> float:
    """The mean time until an answer began, over all requests of these gateways; 0 without any."""
    known = list(facts)
    total = sum(one.requests_total for one in known)
    return sum(one.response_seconds_total for one in known) / total if total else 0.0
