"""Runs the asynchronous work of a command, so that a signal ends it in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of the work.

    Ctrl-C and SIGTERM cancel it: it sees ``CancelledError`` and may tidy up. A second Ctrl-C breaks it off.

    Raises:
        KeyboardInterrupt: It was cancelled by a signal.
    """
    try:
        return asyncio.run(_with_sigterm(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _with_sigterm(work: Coroutine[Any, Any, _T]) -> _T:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        try:
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        except (NotImplementedError, RuntimeError, ValueError):
            # Not the main thread, or a system without signals: then nobody can send one, either.
            return await work
    try:
        return await work
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
