"""``frameloom up``: the stack in the foreground until it is asked to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TextIO

from frameloom.common.errors import FrameloomError
from frameloom.local.options import DEFAULT_PORT, UpOptions
from frameloom.local.output import LogSink
from frameloom.local.servers.export import export_lines
from frameloom.local.stack import Stack

__all__ = ["DEFAULT_PORT", "Stack", "UpOptions", "run_up", "up"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_up(options: UpOptions) -> int:
    """Runs the stack in an event loop of its own; returns the exit status (see ``up``)."""
    return asyncio.run(up(options))


async def up(
    options: UpOptions,
    *,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    terminal: LogSink | None = None,
) -> int:
    """Runs the stack until SIGINT, SIGTERM or SIGHUP, or until a part can not be kept alive.

    Prints one line ``ready URL`` when every part answers, and at the first start, on standard error, the API
    key that was made for it; with ``only_servers`` the variables as ``export`` lines, then ``ready servers``.
    A second signal kills what has not ended yet.

    Args:
        options: What to run and where.
        stdout: Gets what is printed; standard output when not given.
        stderr: Gets the key of a first start, and the reason of a failure; standard error when not given.
        terminal: Takes the logs of the services; a ``TerminalSink`` on standard error when not given.

    Returns:
        0 when it was asked to end, 1 on failure.
    """
    stack = Stack(options, terminal=terminal)
    asked = _Asked(stack)
    run = asyncio.create_task(_run(stack, stdout or sys.stdout, stderr or sys.stderr))
    asked.install(run)
    try:
        await run
    except asyncio.CancelledError:
        if not asked.times:
            raise
    except FrameloomError as error:
        (stderr or sys.stderr).write(
            f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else "")
        )
        return 1
    finally:
        asked.remove()
    return 0


async def _run(stack: Stack, stdout: TextIO, stderr: TextIO) -> None:
    async with stack:
        stderr.write(stack.access.first_words())
        stderr.flush()
        lines = f"ready {stack.base_url}\n"
        if stack.options.only_servers:
            lines = (
                export_lines({**stack.servers.environment(), **stack.access.environment()})
                + "ready servers\n"
            )
        stdout.write(lines)
        stdout.flush()
        await stack.failed()


class _Asked:
    """Counts the requests to end: the first ends the stack in order, later ones kill it."""

    def __init__(self, stack: Stack) -> None:
        self.times = 0
        self._stack = stack
        self._run: asyncio.Task[None] | None = None
        self._kill: asyncio.Task[None] | None = None

    def install(self, run: asyncio.Task[None]) -> None:
        self._run = run
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._receive)

    def remove(self) -> None:
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _receive(self) -> None:
        self.times += 1
        if self.times == 1 and self._run is not None:
            self._run.cancel()
        elif self._kill is None:
            self._kill = asyncio.create_task(self._stack.kill())
