"""The same client for plain code: each method stands for that of the same name of the asynchronous one."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from frameloom.client.api import AsyncClient
from frameloom.client.calls.keys import AsyncKeys
from frameloom.client.calls.system import AsyncDebug
from frameloom.client.credentials import Key
from frameloom.client.mirrors import Loop, Mirror, abandoned, iterated, mirrored
from frameloom.client.retries import RetryPolicy


class Keys(Mirror[AsyncKeys]):
    """Calls about keys; all of them need a key with the scope ``admin``."""

    create = mirrored(AsyncKeys.create)
    get = mirrored(AsyncKeys.get)
    list = mirrored(AsyncKeys.list)
    revoke = mirrored(AsyncKeys.revoke)
    rotate = mirrored(AsyncKeys.rotate)


class Debug(Mirror[AsyncDebug]):
    """What the server tells its developers, where its operator has enabled it."""

    server_info = mirrored(AsyncDebug.server_info)
    token_info = mirrored(AsyncDebug.token_info)
    pipelines = mirrored(AsyncDebug.pipelines)
    job = mirrored(AsyncDebug.job)
    request_log = mirrored(AsyncDebug.request_log)
    background_jobs = mirrored(AsyncDebug.background_jobs)


class Client(Mirror[AsyncClient]):
    """A connection to one gateway; use it as a context manager. Threads may share it.

    Functions that are given to it (``on_bytes``, ``on_progress``) are called on another thread, and must not
    call the client.

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
        timeout: float = 30.0,
        retries: RetryPolicy | None = None,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self._begin(AsyncClient(server, api_key=api_key, timeout=timeout, retries=retries, verify=verify))

    @classmethod
    def from_environment(cls, server: str | None = None, *, key_file: Path | None = None) -> Self:
        """As the ``frameloom`` command connects; see :meth:`AsyncClient.from_environment`."""
        made = cls.__new__(cls)
        made._begin(AsyncClient.from_environment(server, key_file=key_file))
        return made

    def _begin(self, inner: AsyncClient) -> None:
        loop = Loop()
        super().__init__(inner, loop)
        self.keys = Keys(inner.keys, loop)
        self.debug = Debug(inner.debug, loop)
        self._end = abandoned(self, loop, inner.close, repr(inner))

    @property
    def server(self) -> str:
        """The gateway's address."""
        return self._inner.server

    @property
    def key(self) -> Key | None:
        """The key that is sent; its text is not shown when it is printed."""
        return self._inner.key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._inner).replace(type(self._inner).__name__, type(self).__name__, 1)

    def close(self) -> None:
        """Ends the connections; a second call does nothing."""
        self._end.detach()
        self._loop.close(self._inner.close)

    health = mirrored(AsyncClient.health)
    system_health = mirrored(AsyncClient.system_health)
    metrics = mirrored(AsyncClient.metrics)
    system_config = mirrored(AsyncClient.system_config)
    database = mirrored(AsyncClient.database)
    viewer_link = mirrored(AsyncClient.viewer_link)

    pipelines = mirrored(AsyncClient.pipelines)
    pipeline = mirrored(AsyncClient.pipeline)
    schema = mirrored(AsyncClient.schema)
    validate = mirrored(AsyncClient.validate)
    validate_config = mirrored(AsyncClient.validate_config)

    submit = mirrored(AsyncClient.submit)
    job = mirrored(AsyncClient.job)
    jobs = iterated(AsyncClient.jobs)
    jobs_page = mirrored(AsyncClient.jobs_page)
    cancel = mirrored(AsyncClient.cancel)
    delete = mirrored(AsyncClient.delete)
    events = iterated(AsyncClient.events)
    event_token = mirrored(AsyncClient.event_token)
    wait = mirrored(AsyncClient.wait)

    results = mirrored(AsyncClient.results)
    download = mirrored(AsyncClient.download)
    download_file = mirrored(AsyncClient.download_file)
    artifacts = mirrored(AsyncClient.artifacts)
    unpacked = mirrored(AsyncClient.unpacked)
