"""A value that is asked for at most so often, however many want it, and however long it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from frameloom.common.errors import FrameloomError, TransientError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A value and its age.

    Attributes:
        value: As it was read.
        age_seconds: How long ago.
    """

    value: T
    age_seconds: float


class NotReadError(TransientError):
    """The value was not there in time."""


class Refreshed(Generic[T]):
    """Reads a value when it is wanted and the last one is too old; all who wait share one reading.

    Reading may take at most ``share`` of all time: a count that gets slower is made less often, and the one
    before answers meanwhile.

    Args:
        read: Reads it.
        every_seconds: How old it may be.
        share: See above.
        patience_seconds: How long a caller waits for a fresh one before the old one must do.
        monotonic: Measures.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        *,
        every_seconds: float,
        patience_seconds: float,
        share: float = 0.1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._every_seconds = every_seconds
        self._patience_seconds = patience_seconds
        self._share = share
        self._monotonic = monotonic
        self._reading: asyncio.Task[FrameloomError | None] | None = None
        self._value: T | None = None
        self._read_at: float | None = None
        self._took_seconds = 0.0

    async def get(self) -> Kept[T]:
        """The value, fresh if it can be had in time.

        Raises:
            FrameloomError: It could not be read, and was not before.
            NotReadError: It was not there in time, and was not before.
        """
        if self._is_old():
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._refresh(), name="refresh")
            reading = self._reading
            await asyncio.wait({reading}, timeout=self._patience_seconds)
            if reading.done() and (failure := reading.result()) is not None:
                raise failure
        if self._read_at is None:
            raise NotReadError(f"No answer after {self._patience_seconds:g}s")
        return Kept(self._value, self._monotonic() - self._read_at)  # type: ignore[arg-type]

    def _is_old(self) -> bool:
        if self._read_at is None:
            return True
        allowed = max(self._every_seconds, self._took_seconds / self._share if self._every_seconds else 0)
        return self._monotonic() - self._read_at >= allowed

    async def _refresh(self) -> FrameloomError | None:
        """Reads once. What goes wrong is the answer, because perhaps nobody waits for it any more."""
        began = self._monotonic()
        try:
            value = await self._read()
        except FrameloomError as error:
            return error
        self._value, self._read_at = value, self._monotonic()
        self._took_seconds = self._read_at - began
        return None


async def or_none(refreshed: Refreshed[T]) -> Kept[T] | None:
    """The value, or None where it can not be had: what it belongs to is told without it."""
    try:
        return await refreshed.get()
    except FrameloomError:
        return None
