"""Reading the media at an address that a client names: with a limit on everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import hdrs
from yarl import URL

from frameloom.gateway.errors import PayloadTooLargeError, UrlFetchError, UrlRefusedError
from frameloom.gateway.ingest.connecting import Lookup, asked, checked, system_lookup
from frameloom.gateway.ingest.rules import IpAddress, RefusedAddress, Target, UrlRules, target

_CHUNK_BYTES = 256 * 1024
_REDIRECTS = {301, 302, 303, 307, 308}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How long it may take.

    Attributes:
        max_bytes: Of the file.
        max_seconds: In all.
        connect_seconds: Until somebody answers.
        idle_seconds: Without a byte.
        min_bytes_per_second: On average, after the grace; 0: none.
        grace_seconds: How long it may be slower at the beginning.
        redirects: How often it may lead elsewhere; each address is checked like the first.
    """

    max_bytes: int
    max_seconds: float
    connect_seconds: float
    idle_seconds: float
    min_bytes_per_second: float
    grace_seconds: float
    redirects: int


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is being fetched."""

    filename: str | None
    chunks: AsyncIterator[bytes]


class UrlFetcher:
    """Fetches what clients name by address."""

    def __init__(self, rules: UrlRules, limits: FetchLimits, lookup: Lookup = system_lookup) -> None:
        self._rules = rules
        self._limits = limits
        self._lookup = lookup

    def check(self, url: str) -> None:
        """Refuses an address as far as it can be judged by itself.

        Raises:
            UrlRefusedError: It is not allowed.
        """
        self._target(url)

    @asynccontextmanager
    async def opened(self, url: str) -> AsyncIterator[Found]:
        """The file at an address, to be read within the block.

        Raises:
            UrlRefusedError: The address, or one that it leads to, is not allowed.
            UrlFetchError: There is no file, or it does not come as it should.
            PayloadTooLargeError: It is too large, as its server says.
        """
        until = asyncio.get_running_loop().time() + self._limits.max_seconds
        async with AsyncExitStack() as stack:
            # What the caller does with the chunks is not broken off: they end with an error of their own.
            with _explained():
                async with asyncio.timeout_at(until):
                    answered = self._answered(self._target(url), self._limits.redirects)
                    final, response = await stack.enter_async_context(answered)
            self._require_file(response)
            log.info("fetching media", host=final.host, size_bytes=response.content_length)
            yield Found(final.filename, self._chunks(response, until))

    @asynccontextmanager
    async def _answered(
        self, at: Target, redirects: int
    ) -> AsyncIterator[tuple[Target, aiohttp.ClientResponse]]:
        addresses = await self._checked(at)
        limits = self._limits
        async with asked(at, addresses, limits.connect_seconds, limits.idle_seconds) as response:
            if response.status not in _REDIRECTS:
                yield at, response
                return
            location = response.headers.get(hdrs.LOCATION)
        if location is None or redirects == 0:
            raise UrlFetchError("It leads elsewhere too often")
        async with self._answered(self._target(_joined(at.url, location)), redirects - 1) as answered:
            yield answered

    def _target(self, url: str) -> Target:
        try:
            return target(url, self._rules)
        except RefusedAddress as refused:
            raise UrlRefusedError(str(refused)) from refused

    async def _checked(self, at: Target) -> tuple[IpAddress, ...]:
        try:
            return await checked(at, self._rules, self._lookup)
        except RefusedAddress as refused:
            raise UrlRefusedError(str(refused)) from refused

    def _require_file(self, response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            raise UrlFetchError(f"Its server answers {response.status}")
        if response.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
            raise UrlFetchError("Its server sends it compressed, though it was asked not to")
        if response.content_length is not None and response.content_length > self._limits.max_bytes:
            raise PayloadTooLargeError("The file", self._limits.max_bytes)

    async def _chunks(self, response: aiohttp.ClientResponse, until: float) -> AsyncIterator[bytes]:
        limits, received, waited = self._limits, 0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            with _explained():
                async with asyncio.timeout_at(until):
                    chunk = await response.content.read(_CHUNK_BYTES)
            waited += clock() - began
            if not chunk:
                return
            received += len(chunk)
            if waited > limits.grace_seconds and received < waited * limits.min_bytes_per_second:
                raise UrlFetchError("Its server sends too slowly")
            yield chunk


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise UrlFetchError("It does not come in time") from error
    except aiohttp.ClientError as error:
        raise UrlFetchError(_told(error)) from error


def _joined(base: URL, location: str) -> str:
    try:
        return str(base.join(URL(location)))
    except ValueError as error:
        raise UrlRefusedError("it leads to what is no address") from error


def _told(error: aiohttp.ClientError) -> str:
    """What may be told of a failure: what it is, never where inside."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "Its server has no certificate that can be trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "Its server can not be reached"
    return "Its server broke off, or speaks no HTTP"
