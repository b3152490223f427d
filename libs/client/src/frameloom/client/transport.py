"""The connection to one gateway: requests, repeated where that is safe, and typed errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from frameloom.client import __version__
from frameloom.client.answers import check, parse, translate
from frameloom.client.credentials import Key, is_loopback
from frameloom.client.errors import UsageError
from frameloom.client.retries import RetryPolicy, may_answer_better, may_arrive_better, retry_after

_Model = TypeVar("_Model", bound=BaseModel)
API = "/api/v1"
_CONNECT_SECONDS = 5.0
_ADDRESS_HINT = "Give it as http://HOST:PORT"


class Transport:
    """Sends requests to one gateway, and closes its connections.

    Args:
        server: The gateway's address.
        key: Sent as a bearer token, if given.
        timeout_seconds: How long the server may take for an answer.
        retries: How often a request is sent again.
        verify: False: the server's certificate is not checked; a context: checked as it says.

    Attributes:
        server: The address, without a slash at its end.
        key: The key that is sent.

    Raises:
        UsageError: ``server`` is no http or https address.
    """

    def __init__(
        self,
        server: str,
        *,
        key: Key | None,
        timeout_seconds: float,
        retries: RetryPolicy,
        verify: bool | ssl.SSLContext,
    ) -> None:
        self.server, login = server_address(server)
        if login and key:
            raise UsageError(
                "Both a key and a password in the server's address: only one of them can be sent",
                hint="Leave out the password, or the key",
            )
        self.key = key
        self._retries = retries
        headers = {"User-Agent": f"frameloom/{__version__}", "Accept": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.value}"
        self._http = httpx.AsyncClient(
            base_url=self.server,
            headers=headers,
            auth=login,
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            follow_redirects=True,
            verify=verify,
            # A proxy from the environment can not reach this machine's own loopback.
            trust_env=not is_loopback(self.server),
        )

    async def close(self) -> None:
        """Ends the connections; a second call does nothing."""
        await self._http.aclose()

    async def get(self, model: type[_Model], path: str, **options: Any) -> _Model:
        """A GET, its answer typed."""
        return parse(model, await self.send("GET", path, **options))

    async def send(
        self,
        method: str,
        path: str,
        *,
        once: bool = False,
        repeatable: bool = True,
        accept: Sequence[int] = (),
        **options: Any,
    ) -> httpx.Response:
        """The answer to a request, read.

        Args:
            method: Of HTTP.
            path: Below the server's address.
            once: The request must not run twice: it is repeated only where it surely did not run.
            repeatable: Its body can be read once more.
            accept: Statuses that are answers here, not errors.
            options: As httpx takes them.

        Raises:
            ClientError: The server did not answer, or refused.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self._http.request(method, path, **options)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                again = repeatable and may_arrive_better(error, once=once)
                pause = self._retries.delay(attempt) if again else None
                if pause is None:
                    raise translate(error, self.server) from error
            else:
                pause, wanted = None, response.status_code in accept
                if repeatable and not wanted and may_answer_better(response, once=once):
                    pause = self._retries.delay(attempt, retry_after(response))
                if pause is None:
                    if not wanted:
                        check(response, self.key)
                    return response
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncGenerator[httpx.Response]:
        """A GET whose body is read piece by piece: downloads and events.

        It is repeated until its body begins; who reads the body sees to the rest.

        Raises:
            ClientError: The server did not answer, refused, or broke off while the body was read.
        """
        try:
            async with AsyncExitStack() as opened:
                yield await self._opened(opened, path, options)
        except httpx.HTTPError as error:
            raise translate(error, self.server) from error

    async def _opened(self, opened: AsyncExitStack, path: str, options: dict[str, Any]) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            async with AsyncExitStack() as tried:
                pause = None
                try:
                    response = await tried.enter_async_context(self._http.stream("GET", path, **options))
                    if response.is_success:
                        opened.push_async_exit(tried.pop_all())
                        return response
                    await response.aread()
                    if may_answer_better(response, once=False):
                        pause = self._retries.delay(attempt, retry_after(response))
                    if pause is None:
                        check(response, self.key)
                except httpx.HTTPError as error:
                    pause = self._retries.delay(attempt) if may_arrive_better(error, once=False) else None
                    if pause is None:
                        raise
            await asyncio.sleep(pause or 0.0)


class Calls:
    """What the groups of calls have in common: the connection they go over."""

    _transport: Transport

    def stream(self, path: str, **options: Any) -> AbstractAsyncContextManager[httpx.Response]:
        """A GET below the server's address whose body is read piece by piece, with the key and the errors.

        Raises:
            ClientError: The server did not answer, refused, or broke off while the body was read.
        """
        return self._transport.stream(path, **options)


def server_address(text: str) -> tuple[str, tuple[str, str] | None]:
    """The address without a trailing slash, and the user and password that may be in it, for a proxy.

    A bare ``host:port`` is taken as http.

    Raises:
        UsageError: It is no http or https address.
    """
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise UsageError(f"{text!r} is no server address: {error}", hint=_ADDRESS_HINT) from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise UsageError(f"{text!r} is no server address", hint=_ADDRESS_HINT)
    login = (url.username, url.password) if url.userinfo else None
    return str(url.copy_with(username=None, password=None) if login else address).rstrip("/"), login


def segment(text: str) -> str:
    """An id or a name as one component of a path."""
    return quote(text, safe="")
