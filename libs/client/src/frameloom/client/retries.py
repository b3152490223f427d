"""Which request may be sent again, and when: pure decisions."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import random

import httpx

_IDEMPOTENT_STATUSES = frozenset({429, 502, 503, 504})
_NOT_TAKEN_CODES = frozenset({"BUSY"})
"""Codes of a 503 with which the server says that it has not begun."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a request is sent again. All times in seconds.

    A request that changes nothing, or changes nothing more the second time, is sent again after 429, 502, 503
    and 504, and when the connection could not be made or broke. One that must not run twice (submitting a
    job, making a key) is sent again only where the server surely has not taken it: the connection was never
    made, or the server itself said so (429, 503 ``BUSY``).

    Attributes:
        tries: How often in all; 1: never again.
        first_delay_seconds: Before the second try; doubled for each further one, with jitter.
        longest_delay_seconds: Its bound.
        longest_retry_after_seconds: A server that asks for a longer pause is not waited for.
    """

    tries: int = 3
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 8.0
    longest_retry_after_seconds: float = 60.0

    def delay(
        self, attempt: int, retry_after: float | None = None, *, chance: Callable[[], float] = random
    ) -> float | None:
        """The pause after the ``attempt``-th try, counted from 1; None: there is no further one.

        Args:
            attempt: Tries made.
            retry_after: What the server asked for.
            chance: 0 to 1, for the jitter.
        """
        if attempt >= self.tries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.longest_retry_after_seconds else None
        doubled: float = self.first_delay_seconds * 2 ** min(attempt - 1, 20)
        return min(self.longest_delay_seconds, doubled) * (0.5 + chance() / 2)


def may_answer_better(response: httpx.Response, *, once: bool) -> bool:
    """Whether the same request may be sent again after this answer.

    Args:
        response: The answer, read.
        once: It must not run twice.
    """
    if once:
        return response.status_code == 429 or (
            response.status_code == 503 and _code(response) in _NOT_TAKEN_CODES
        )
    return response.status_code in _IDEMPOTENT_STATUSES


def may_arrive_better(error: Exception, *, once: bool) -> bool:
    """Whether the same request may be sent again after this fault.

    A server that takes too long is not asked again: it would have the same work twice.
    """
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return insecure(error) is None
    return not once and isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)


def insecure(error: BaseException) -> str | None:
    """Why TLS could not be agreed upon, if that is the reason below this fault."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            return getattr(below, "verify_message", None) or below.reason or str(below)
        below = below.__cause__ or below.__context__
    return None


def retry_after(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds that ``Retry-After`` asks for, whether it names them or a time."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())


def _code(response: httpx.Response) -> str | None:
    try:
        code = response.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) else None
