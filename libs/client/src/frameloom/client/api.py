"""The gateway's REST API, asynchronous. :mod:`frameloom.client.sync` has the same for plain code.

Every method raises the errors of :mod:`frameloom.client.errors` and no other for expected faults.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from frameloom.client.calls.keys import AsyncKeys
from frameloom.client.calls.pipelines import PipelineCalls
from frameloom.client.calls.results import ResultCalls
from frameloom.client.calls.system import AsyncDebug, SystemCalls
from frameloom.client.credentials import DEFAULT_SERVER, SERVER_VARIABLE, Key, find_key
from frameloom.client.retries import RetryPolicy
from frameloom.client.transport import Transport

_TIMEOUT_SECONDS = 30.0


class AsyncClient(ResultCalls, PipelineCalls, SystemCalls):
    """A connection to one gateway; use it as an asynchronous context manager.

    Args:
        server: Its address, ``http://127.0.0.1:18011`` for example.
        api_key: Sent as a bearer token, if given.
        timeout: Seconds that the server may take for an answer. Uploads, downloads and event streams may take
            longer, as long as they go on.
        retries: When a request is sent again.
        verify: False: the server's certificate is not checked; a context: checked as it says.

    Attributes:
        keys: The keys of the server.
        debug: What the server tells its developers.

    Raises:
        UsageError: ``server`` is no http or https address, or ``api_key`` no key.
    """

    def __init__(
        self,
        server: str,
        *,
        api_key: str | Key | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        retries: RetryPolicy | None = None,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self._transport = Transport(
            server,
            key=Key.of(api_key),
            timeout_seconds=timeout,
            retries=retries or RetryPolicy(),
            verify=verify,
        )
        self.keys = AsyncKeys(self)
        self.debug = AsyncDebug(self)

    @classmethod
    def from_environment(cls, server: str | None = None, *, key_file: Path | None = None) -> Self:
        """As the ``frameloom`` command connects.

        Args:
            server: Its address; else ``FRAMELOOM_SERVER``; else where ``frameloom up`` listens.
            key_file: A file with a key; else ``FRAMELOOM_API_KEY``; else, on this machine, the key that the
                embedded stack has written.

        Raises:
            UsageError: The address is none, or the file can not be read.
        """
        address = server or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
        return cls(address, api_key=find_key(address, key_file=key_file))

    @property
    def server(self) -> str:
        """The gateway's address."""
        return self._transport.server

    @property
    def key(self) -> Key | None:
        """The key that is sent; its text is not shown when it is printed."""
        return self._transport.key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        key = f", key from {self.key.origin}" if self.key else ""
        return f"<{type(self).__name__} {self.server}{key}>"

    async def close(self) -> None:
        """Ends the connections; a second call does nothing."""
        await self._transport.close()
