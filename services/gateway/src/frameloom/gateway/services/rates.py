"""Rate limits: token buckets, kept in the memory of one gateway."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from frameloom.common.documents import KeyLimits
from frameloom.gateway.services.limits import effective
from frameloom.gateway.settings import LimitSettings

_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How a bucket stands after a request.

    Attributes:
        limit: How many may come at once.
        remaining: How many may come now.
        full_seconds: When the bucket is full again.
        window_seconds: How long an empty bucket takes to fill.
        retry_seconds: When the next one may come; None: this one may.
    """

    limit: int
    remaining: int
    full_seconds: int
    window_seconds: int
    retry_seconds: int | None = None


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Buckets:
    """A token bucket for each of many names; the names that were quiet the longest are forgotten first.

    Args:
        monotonic: Measures time.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, per_second: float, burst: int, cost: float = 1.0) -> Rate:
        """Takes a token, if there is one; with ``cost`` 0 only looks whether there is.

        Args:
            name: Whose bucket.
            per_second: How fast it fills; more than 0.
            burst: How much it holds.
            cost: How much is taken.
        """
        now = self._monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(burst), now)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * per_second)
            bucket.filled_at = now
        retry = None if bucket.tokens >= 1.0 else max(1, math.ceil((1.0 - bucket.tokens) / per_second))
        if retry is None:
            bucket.tokens -= cost
        full = math.ceil((burst - bucket.tokens) / per_second)
        return Rate(burst, int(bucket.tokens), full, math.ceil(burst / per_second), retry)


class RateLimiter:
    """The limits of requests by key, and of wrong keys by address."""

    def __init__(self, settings: LimitSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._requests = Buckets(monotonic)
        self._guesses = Buckets(monotonic)

    def request(self, account: str, own: KeyLimits | None, cost: float = 1.0) -> Rate | None:
        """Counts a request; None: there is no limit.

        Args:
            account: What it is counted under.
            own: The key's own limits, as far as they are known.
            cost: 0 only looks.
        """
        limits = effective(self._settings, own)
        if limits.requests_per_second <= 0:
            return None
        return self._requests.take(account, limits.requests_per_second, limits.burst, cost)

    def wrong_key(self, address: str) -> int | None:
        """Counts a wrong key; after how many seconds the address may try again, None: at once."""
        return self._guess(address, 1.0)

    def may_guess(self, address: str) -> int | None:
        """The same without counting."""
        return self._guess(address, 0.0)

    def _guess(self, address: str, cost: float) -> int | None:
        per_minute = self._settings.wrong_keys_per_minute
        if per_minute <= 0:
            return None
        return self._guesses.take(address, per_minute / 60, max(1, int(per_minute)), cost).retry_seconds
