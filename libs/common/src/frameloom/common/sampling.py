"""Values sampled by a thread of their own, so that a slow system call never holds up the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
_FIRST_WITHIN_SECONDS = 2.0
log = structlog.get_logger(__name__)


class Sampled(Generic[T]):
    """The latest answer of a blocking function that is asked again and again.

    The thread is a daemon: one that hangs in a driver neither holds up the end of the process nor hides
    that it hangs, since the answer's own time stands still.

    Attributes:
        latest: The newest answer; before the first one ``start``.
    """

    def __init__(self, read: Callable[[], T], every_seconds: float, name: str, start: T) -> None:
        self.latest: T = start
        self._read = read
        self._every_seconds = every_seconds
        self._name = name
        self._end = threading.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Samples in the background. The first sample is waited for, though not for ever."""
        first = asyncio.Event()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._run, args=(loop, first), name=self._name, daemon=True)
        thread.start()
        try:
            try:
                async with asyncio.timeout(_FIRST_WITHIN_SECONDS):
                    await first.wait()
            except TimeoutError:
                log.warning("no sample yet", sampler=self._name)
            yield
        finally:
            self._end.set()

    def _run(self, loop: asyncio.AbstractEventLoop, first: asyncio.Event) -> None:
        failing = False
        while True:
            try:
                self.latest = self._read()
                failing = False
            except Exception as error:  # noqa: BLE001 - facts are told, not needed: the next one may fare better
                if not failing:
                    reason = f"{type(error).__name__}: {error}"
                    log.warning("can not sample", sampler=self._name, reason=reason)
                failing = True
            if self._end.is_set():
                return
            if not first.is_set():
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(first.set)
            if self._end.wait(self._every_seconds):
                return
