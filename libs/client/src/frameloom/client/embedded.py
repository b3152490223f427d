"""The embedded stack, if it is installed: the only place that knows of :mod:`frameloom.local`.

It is imported by name and at need, because the client must work without it.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from frameloom.client.errors import ClientError, MissingCapabilityError

_HINT = "Install it with: pip install 'frameloom-client[local]'; or name a server with --server"


class RunningStack(Protocol):
    """What is needed of ``frameloom.local.up.Stack`` once it is up."""

    @property
    def base_url(self) -> str:
        """The gateway's address."""


class StackError(ClientError):
    """The embedded stack could not be started or kept alive."""

    code = "EMBEDDED_STACK"
    exit_code = MissingCapabilityError.exit_code


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
        StackError: It did not come up.
    """
    up: Any = local("up")
    options = up.UpOptions(data=data, port=0, workers=workers, quiet=True)
    stack: AbstractAsyncContextManager[RunningStack] = up.Stack(options)
    try:
        running = await stack.__aenter__()
    except Exception as error:
        if not _expected(error):
            raise
        raise StackError(
            f"The embedded stack did not start: {error}",
            hint=getattr(error, "hint", None) or f"Its logs are in {data}",
        ) from error
    try:
        yield running
    finally:
        await stack.__aexit__(None, None, None)


def _expected(error: Exception) -> bool:
    """A fault that the stack explains itself: it has a stable code, as all of Frameloom's own have."""
    return isinstance(error, OSError) or hasattr(error, "code")
