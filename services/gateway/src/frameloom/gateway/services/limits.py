"""What a key may use: its own limits, and where it has none, those of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from frameloom.common.documents import KeyLimits
from frameloom.gateway.settings import LimitSettings

_BURST_SECONDS = 10.0
"""The burst of a key that has a rate of its own and no burst: what comes in this time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that hold; 0 is none.

    Attributes:
        requests_per_second: In the long run, at each gateway.
        burst: Requests that may come at once; counts only where there is a rate.
        concurrent_jobs: Pending and running.
        stored_bytes: Of media.
    """

    requests_per_second: float
    burst: int
    concurrent_jobs: int
    stored_bytes: int


@lru_cache(maxsize=10_000)
def effective(settings: LimitSettings, own: KeyLimits | None) -> Limits:
    """The limits of a key; ``own`` is None where nothing is known of it."""
    own = own or KeyLimits()
    per_second, burst = settings.requests_per_second, settings.burst
    if own.requests_per_second is not None:
        per_second, burst = own.requests_per_second, int(own.requests_per_second * _BURST_SECONDS)
    return Limits(
        requests_per_second=per_second,
        burst=max(1, burst if own.burst is None else own.burst),
        concurrent_jobs=settings.concurrent_jobs if own.concurrent_jobs is None else own.concurrent_jobs,
        stored_bytes=settings.stored_bytes if own.stored_bytes is None else own.stored_bytes,
    )
