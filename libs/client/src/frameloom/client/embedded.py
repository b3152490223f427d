"""The embedded stack, if it is installed: the only place that knows of :mod:`frameloom.local`.

It is imported by name and at need, because the client must work without it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from frameloom.client.errors import ClientError, MissingCapabilityError, UnreachableError

_T = TypeVar("_T")
_SERVER_MISSING = "EMBEDDED_SERVER_MISSING"
_IN_USE = "DATA_DIRECTORY_IN_USE"
_USE_IT = "Use the stack that runs there with --server and the URL it printed, or another folder with --data"
_HINT = "Install it with: pip install 'frameloom-client[local]'; or name a server with --server"


class RunningStack(Protocol):
    """What is needed of ``frameloom.local.up.Stack`` once it is up."""

    @property
    def base_url(self) -> str:
        """The gateway's address."""

    @property
    def api_key(self) -> str:
        """A key with which the gateway allows everything."""

    async def failed(self) -> None:
        """Waits until a part can not be kept alive, and raises why."""


def local(part: str) -> ModuleType:
    """A module of :mod:`frameloom.local`.

    Raises:
        MissingCapabilityError: It, or something that it needs, is not installed.
    """
    try:
        return importlib.import_module(f"frameloom.local.{part}")
    except ModuleNotFoundError as error:
        raise MissingCapabilityError(
            f"The embedded stack is not installed ({error.name} is missing)", hint=_HINT
        ) from error


@asynccontextmanager
async def embedded(data: Path, *, workers: int = 1) -> AsyncGenerator[RunningStack]:
    """The embedded stack on free ports over a data folder, with its logs in a file there.

    Raises:
        MissingCapabilityError: It is not installed.
        UnreachableError: It did not come up.
    """
    up: Any = local("up")
    options = up.UpOptions(data=data, port=0, workers=workers, quiet=True)
    stack: AbstractAsyncContextManager[RunningStack] = up.Stack(options)
    try:
        running = await stack.__aenter__()
    except Exception as error:
        raise _explained(error, "did not start", data) from error
    try:
        yield running
    finally:
        await stack.__aexit__(None, None, None)


async def while_up(stack: RunningStack, work: Coroutine[Any, Any, _T], data: Path) -> _T:
    """The result of the work, unless the stack fails before: then nothing is waited for.

    Raises:
        UnreachableError: A part of the stack could not be kept alive.
    """
    failure = asyncio.ensure_future(stack.failed())
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, failure}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await failure
        return await task
    except ClientError:
        raise
    except Exception as error:
        raise _explained(error, "broke down", data) from error
    finally:
        for one in (task, failure):
            one.cancel()
        await asyncio.gather(task, failure, return_exceptions=True)


def _explained(error: Exception, what: str, data: Path) -> Exception:
    """The client's error for a fault that the stack explains itself: it has a stable code, as all its own."""
    code = getattr(error, "code", None)
    if not isinstance(code, str) and not isinstance(error, OSError):
        return error
    kind = MissingCapabilityError if code == _SERVER_MISSING else UnreachableError
    return kind(
        f"The embedded stack {what}: {error}",
        code=code,
        hint=_USE_IT
        if code == _IN_USE
        else getattr(error, "hint", None) or f"Its logs are in {data / 'logs'}",
    )
