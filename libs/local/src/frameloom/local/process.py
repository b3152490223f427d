"""One child process: in a session of its own, ended in order, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_GUARD = Path(__file__).with_name("guard.py")


class ChildProcess:
    """A running child process.

    It has its own session, so that Ctrl-C in the terminal reaches only the parent and the order of
    shutdown is the parent's. On Linux it dies with the parent (see ``guard``).
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._swept = False

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        output: IO[bytes] | int = asyncio.subprocess.PIPE,
    ) -> ChildProcess:
        """Starts a command; its standard output and error go together to ``output``."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(_GUARD),
            str(os.getpid()),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    @property
    def output(self) -> asyncio.StreamReader | None:
        """What it writes, when it was started with a pipe."""
        return self._process.stdout

    async def wait(self) -> int:
        """Waits for its end and returns the exit status."""
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself; nothing happens if it has ended."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, grace_seconds: float) -> int:
        """Asks it to end (SIGTERM), and kills its whole group when the grace has passed."""
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self.wait()
        return await self.kill()

    async def kill(self) -> int:
        """Ends it and what it left in its group (SIGKILL), and returns the exit status."""
        if not self._swept:  # once only: after that the id may belong to somebody else
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._swept = True
        return await self.wait()


def describe_exit(status: int) -> str:
    """An exit status in words: ``exit status 3`` or ``SIGKILL``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
