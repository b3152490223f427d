"""Quotas of a key: jobs that are pending or running, and bytes of media.

What a key uses is asked of the database now and then, and between two askings follows what this gateway
accepts and deletes itself. So a request costs no count over all jobs; what other gateways accept is seen a
few seconds late, and the quota is overstepped by that at most.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from frameloom.common.documents import JobDocument
from frameloom.common.ports.stores import JobStore
from frameloom.gateway.errors import PayloadTooLargeError, QuotaExceededError
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.limits import Limits, effective
from frameloom.gateway.settings import LimitSettings

_ACTIVE_SECONDS = 5.0
_ACTIVE_FULL_SECONDS = 0.5
"""How old the number of active jobs may be; at the limit less, because it falls by itself."""
_BYTES_SECONDS, _BYTES_SHARE = 60.0, 0.005
_BYTES_FULL_SECONDS, _BYTES_FULL_SHARE = 2.0, 0.05
"""How old the sum of a key's bytes may be, and of all time, how much may go into adding it up."""
_REMEMBERED = 10_000
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Use:
    """What a key uses."""

    active_jobs: int
    stored_bytes: int


@dataclass(slots=True)
class _Use:
    """What one key uses, as far as this gateway knows."""

    active: int = 0
    active_at: float = _NEVER
    stored_bytes: int = 0
    bytes_at: float = _NEVER
    bytes_took: float = 0.0
    uploads: int = 0
    """Under way; each will be a job."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an upload may still use.

    Attributes:
        bytes_left: How large it may be; None: there is no quota of bytes.
    """

    bytes_left: int | None = None

    def check(self, size_bytes: int) -> None:
        """Refuses a size that is known beforehand.

        Raises:
            QuotaExceededError: It is more than what is left.
        """
        if self.bytes_left is not None and size_bytes > self.bytes_left:
            raise QuotaExceededError.too_large(self.bytes_left)

    def explained(self, error: PayloadTooLargeError) -> PayloadTooLargeError | QuotaExceededError:
        """The error of an upload that was cut off, by the quota or by the server's own limit."""
        cut_at = (error.detail or {}).get("limit_bytes")
        if self.bytes_left is None or cut_at != self.bytes_left:
            return error
        return QuotaExceededError.too_large(self.bytes_left)


class Quotas:
    """Counts what keys use, and refuses what would be too much. Without a key there is no quota.

    Args:
        jobs: What is counted.
        ring: Knows the limits of keys.
        settings: The limits of keys that have none of their own.
        monotonic: Measures the age of what was counted.
    """

    def __init__(
        self,
        jobs: JobStore,
        ring: KeyRing,
        settings: LimitSettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._ring = ring
        self._settings = settings
        self._monotonic = monotonic
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    @asynccontextmanager
    async def admitted(self, caller: Caller) -> AsyncIterator[Allowance]:
        """Room for one more job, kept while the block runs. :meth:`accepted` is to be called within it.

        Raises:
            QuotaExceededError: There is none; before anything of the upload is read.
        """
        if caller.account is None:
            yield Allowance()
            return
        use = self._use(caller.account)
        use.uploads += 1
        try:
            yield await self._allowed(caller, caller.account, use)
        finally:
            use.uploads -= 1

    async def admit(self, caller: Caller) -> Allowance:
        """The same without keeping the room: for an upload that becomes a job in a later request.

        Raises:
            QuotaExceededError: There is no room.
        """
        async with self.admitted(caller) as allowance:
            return allowance

    def accepted(self, job: JobDocument) -> None:
        """This gateway has stored a job: it counts from now on."""
        if job.key_id is not None and (use := self._uses.get(job.key_id)) is not None:
            use.active += 1
            use.stored_bytes += job.media.size_bytes

    def deleted(self, job: JobDocument) -> None:
        """This gateway has deleted a job; ``job`` is as it was before. Its room is free."""
        if job.key_id is not None and (use := self._uses.get(job.key_id)) is not None:
            use.stored_bytes = max(0, use.stored_bytes - job.media.size_bytes)
            use.active_at = _NEVER

    async def used(self, caller: Caller) -> Use:
        """What the caller's key uses now. Costs as much as it has jobs: not for every request."""
        if caller.account is None:
            return Use(0, 0)
        active = await self._jobs.active_of_key(caller.account)
        return Use(active, await self._jobs.bytes_of_key(caller.account))

    async def _allowed(self, caller: Caller, account: str, use: _Use) -> Allowance:
        limits = await self._limits(caller)
        jobs, stored = limits.concurrent_jobs, limits.stored_bytes
        if jobs:
            active = await self._active(account, use, jobs)
            if active + use.uploads > jobs:  # the one that asks is among the uploads
                raise QuotaExceededError.jobs(jobs)
        if not stored:
            return Allowance()
        left = stored - await self._bytes(account, use, stored)
        if left <= 0:
            raise QuotaExceededError.full(stored)
        return Allowance(left)

    async def _limits(self, caller: Caller) -> Limits:
        own = await self._ring.limits_of(caller.key_id) if caller.key_id else None
        return effective(self._settings, own)

    async def _active(self, account: str, use: _Use, limit: int) -> int:
        async with use.asking:
            full = use.active + use.uploads > limit
            if self._monotonic() - use.active_at >= (_ACTIVE_FULL_SECONDS if full else _ACTIVE_SECONDS):
                began, before = self._monotonic(), use.active
                counted = await self._jobs.active_of_key(account)
                # What was accepted meanwhile may be in the count or not: rather once too often.
                use.active, use.active_at = counted + use.active - before, began
            return use.active

    async def _bytes(self, account: str, use: _Use, limit: int) -> int:
        async with use.asking:
            full = use.stored_bytes >= limit
            seconds, share = (
                (_BYTES_FULL_SECONDS, _BYTES_FULL_SHARE) if full else (_BYTES_SECONDS, _BYTES_SHARE)
            )
            began, before = self._monotonic(), use.stored_bytes
            if began - use.bytes_at >= max(seconds, use.bytes_took / share):
                added = await self._jobs.bytes_of_key(account)
                use.stored_bytes = max(0, added + use.stored_bytes - before)
                use.bytes_at = self._monotonic()
                use.bytes_took = use.bytes_at - began
            return use.stored_bytes

    def _use(self, account: str) -> _Use:
        use = self._uses.get(account)
        if use is None:
            use = self._uses[account] = _Use()
            if len(self._uses) > _REMEMBERED:
                self._uses.popitem(last=False)
        else:
            self._uses.move_to_end(account)
        return use
