"""Keeps named processes alive, gives up on one that can not be, and ends them in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from frameloom.common.errors import FrameloomError
from frameloom.local.errors import EmbeddedStackError
from frameloom.local.output import LogSink, pump
from frameloom.local.process import ChildProcess, describe_exit

_LAST_LINES = 12
_DRAIN_SECONDS = 1.0


class GaveUpError(EmbeddedStackError):
    """A process ended too often to be started once more."""

    code = "PROCESS_NOT_KEPT_ALIVE"


class Unit(Protocol):
    """What a supervisor looks after: a service, or an embedded server."""

    @property
    def name(self) -> str:
        """How it is called in logs and errors."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""

    async def start(self) -> None:
        """Starts it; returns when it is up as far as the unit can tell."""

    async def wait(self) -> int:
        """Waits for its end; returns the exit status."""

    async def stop(self) -> None:
        """Ends it in order, or clears away what is left of it."""

    async def kill(self) -> None:
        """Ends it at once."""

    def last_words(self) -> str:
        """The last lines that it wrote."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a process that ended is started again.

    Attributes:
        crashes: So many ends within the window are too many.
        window_seconds: Length of the window.
        first_backoff_seconds: Pause before the first restart; it doubles with every end in the window.
        longest_backoff_seconds: Where the doubling stops.
    """

    crashes: int = 5
    window_seconds: float = 30.0
    first_backoff_seconds: float = 0.2
    longest_backoff_seconds: float = 5.0

    def backoff_seconds(self, ends: int) -> float:
        """The pause after so many ends in the window, the first being 1."""
        return min(self.first_backoff_seconds * 2.0 ** (ends - 1), self.longest_backoff_seconds)


class Service:
    """A unit that is one command, whose output goes line by line to a sink.

    Args:
        name: How it is called.
        command: The command line.
        environment: All of its environment variables.
        sink: Takes its output.
        grace_seconds: How long it may take to end when asked.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        sink: LogSink,
        grace_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self._command = tuple(command)
        self._environment = dict(environment)
        self._sink = sink
        self._grace_seconds = grace_seconds
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._process: ChildProcess | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Starts the command."""
        self._process = await ChildProcess.spawn(self._command, env=self._environment)
        if self._process.output is not None:
            take = lambda line: self._sink.write(self.name, line)  # noqa: E731
            self._pump = asyncio.create_task(pump(self._process.output, take, self._last))

    async def wait(self) -> int:
        """Waits for its end; returns the exit status.

        Raises:
            RuntimeError: It was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    async def stop(self) -> None:
        """Asks it to end, kills its group after the grace, and takes the rest of its output."""
        if self._process is not None:
            await self._process.stop(self._grace_seconds)
            await self._drain()

    async def kill(self) -> None:
        """Ends it and its group at once."""
        if self._process is not None:
            await self._process.kill()
            await self._drain()

    def last_words(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._last)

    async def _drain(self) -> None:
        # A grandchild that moved to a group of its own may hold the pipe open for ever: do not wait for it.
        if self._pump is not None:
            await asyncio.wait({self._pump}, timeout=_DRAIN_SECONDS)
            self._pump.cancel()


@dataclass(frozen=True, slots=True)
class _Kept:
    unit: Unit
    layer: int
    after_restart: Callable[[], Awaitable[None]] | None


class Supervisor:
    """Looks after units, each in a task of its own.

    Args:
        sink: Gets a line, under the name ``stack``, for every end and restart.
        policy: When to restart and when to give up.
    """

    def __init__(self, sink: LogSink, policy: RestartPolicy | None = None) -> None:
        self._sink = sink
        self._policy = policy or RestartPolicy()
        self._kept: list[_Kept] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failure.add_done_callback(lambda done: done.cancelled() or done.exception())

    def keep(
        self, unit: Unit, *, layer: int, after_restart: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Keeps a started unit alive from now on.

        Args:
            unit: The unit, already started.
            layer: Units of a higher layer are ended before those of a lower one.
            after_restart: Called when the unit was started again after it ended by itself.
        """
        kept = _Kept(unit, layer, after_restart)
        self._kept.append(kept)
        self._watch(kept)

    async def failed(self) -> None:
        """Waits until a unit is given up.

        Raises:
            GaveUpError: Which one, why, and its last lines.
        """
        await asyncio.shield(self._failure)

    async def restart(self, layer: int) -> None:
        """Stops and starts all units of a layer, in order; this counts as no crash."""
        chosen = [kept for kept in self._kept if kept.layer == layer]
        await self._unwatch(chosen)
        await asyncio.gather(*(kept.unit.stop() for kept in chosen))
        for kept in chosen:
            await kept.unit.start()
            self._watch(kept)

    async def stop(self) -> None:
        """Ends all units, the highest layer first, those of one layer side by side."""
        await self._unwatch(self._kept)
        for layer in sorted({kept.layer for kept in self._kept}, reverse=True):
            await asyncio.gather(*(kept.unit.stop() for kept in self._kept if kept.layer == layer))

    async def kill(self) -> None:
        """Ends all units at once."""
        await asyncio.gather(*(kept.unit.kill() for kept in self._kept))

    def _watch(self, kept: _Kept) -> None:
        self._tasks[kept.unit.name] = asyncio.create_task(self._guarded(kept))

    async def _unwatch(self, kept: Sequence[_Kept]) -> None:
        tasks = [self._tasks.pop(each.unit.name) for each in kept if each.unit.name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, kept: _Kept) -> None:
        try:
            await self._keep_alive(kept)
        except FrameloomError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  (whatever it is, the stack must not go on unwatched)
            self._fail(GaveUpError(f"{kept.unit.name} can not be looked after: {error!r}"))

    def _fail(self, error: FrameloomError) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _keep_alive(self, kept: _Kept) -> None:
        ends: deque[float] = deque()
        while True:  # ends by the policy or by cancellation
            what = f"ended with {describe_exit(await kept.unit.wait())}"
            await kept.unit.stop()
            while what:
                what = await self._revive(kept.unit, ends, what)
            if kept.after_restart is not None:
                await kept.after_restart()

    async def _revive(self, unit: Unit, ends: deque[float], what: str) -> str:
        """Starts a unit again after a pause; returns why that failed, or nothing."""
        now = time.monotonic()
        ends.append(now)
        while ends[0] < now - self._policy.window_seconds:
            ends.popleft()
        if len(ends) >= self._policy.crashes:
            last = unit.last_words()
            raise GaveUpError(
                f"{unit.name} {what}, {len(ends)} times within {self._policy.window_seconds:.0f} s"
                + (f"; its last lines:\n{last}" if last else "")
            )
        pause = self._policy.backoff_seconds(len(ends))
        self._sink.write("stack", f"{unit.name} {what}; starting it again in {pause:.1f} s")
        await asyncio.sleep(pause)
        try:
            await unit.start()
        except EmbeddedStackError as error:
            return f"could not be started ({error.message})"
        return ""
