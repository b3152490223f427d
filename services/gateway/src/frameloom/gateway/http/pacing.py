"""How slowly a client may send: never silent for long, not below a rate, not for ever.

Only the time that is spent waiting for the client counts: what storing takes is not its fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from frameloom.gateway.errors import UploadTimeoutError

_HINT = "Check the connection and send again; a resumable upload goes on where it broke off."


@dataclass(frozen=True, slots=True)
class Pace:
    """What is asked of a client.

    Attributes:
        idle_seconds: How long it may be silent.
        min_bytes_per_second: On average since its upload began; 0: none.
        grace_seconds: How long it may be slower than that at the beginning.
        max_seconds: How long it may take in all.
    """

    idle_seconds: float
    min_bytes_per_second: float
    grace_seconds: float
    max_seconds: float


class Stopwatch:
    """Times one upload.

    Args:
        pace: What is asked.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._waited = 0.0
        self._received = 0

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Around each read.

        Raises:
            UploadTimeoutError: The client is silent, or has taken too long in all.
        """
        left = max(0.0, self._pace.max_seconds - self._waited)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(min(self._pace.idle_seconds, left)):
                yield
        except TimeoutError:
            if left <= self._pace.idle_seconds:
                raise self._too_long() from None
            raise UploadTimeoutError(
                f"Nothing was received for {self._pace.idle_seconds:g} s", hint=_HINT
            ) from None
        finally:
            self._waited += clock() - began

    def count(self, size_bytes: int) -> None:
        """Notes what a read has brought.

        Raises:
            UploadTimeoutError: It is too little by now.
        """
        self._received += size_bytes
        if self._waited >= self._pace.max_seconds:
            raise self._too_long()
        wanted = self._waited * self._pace.min_bytes_per_second
        if self._waited > self._pace.grace_seconds and self._received < wanted:
            raise UploadTimeoutError(
                f"Only {self._received} bytes were received in {self._waited:.0f} s",
                hint=f"Send at least {self._pace.min_bytes_per_second:g} bytes a second. {_HINT}",
                detail={"min_bytes_per_second": self._pace.min_bytes_per_second},
            )

    def _too_long(self) -> UploadTimeoutError:
        return UploadTimeoutError(f"The upload takes longer than {self._pace.max_seconds:g} s", hint=_HINT)
