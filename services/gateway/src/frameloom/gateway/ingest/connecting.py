"""Connections to addresses that were checked, and to no others.

A name is looked up once, every address that comes is checked, and the connection goes to one of these: what
the name leads to a moment later plays no part. The name stays in the Host header and in TLS.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from frameloom.gateway.ingest.rules import IpAddress, RefusedAddress, Target, UrlRules, require_open

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Looks a name up: the addresses, as text."""
_MOST_ADDRESSES = 16
_HEADERS = {"Accept-Encoding": "identity", "Accept": "video/*, audio/*, */*;q=0.5", "User-Agent": "frameloom"}


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def checked(target: Target, rules: UrlRules, lookup: Lookup) -> tuple[IpAddress, ...]:
    """The addresses of a target, every one of them allowed.

    Raises:
        RefusedAddress: One is not, or there are none.
    """
    if target.address is not None:
        return (target.address,)
    try:
        found = [ip_address(text) for text in await lookup(target.host, target.port)]
    except (OSError, UnicodeError) as error:
        raise RefusedAddress("its host is not known") from error
    except ValueError as error:
        raise RefusedAddress("its host is not at a public address") from error
    if not found:
        raise RefusedAddress("its host is not known")
    for address in found:
        require_open(address, rules)
    return tuple(found[:_MOST_ADDRESSES])


class Pinned(AbstractResolver):
    """Knows one name, and the addresses that were checked for it."""

    def __init__(self, host: str, addresses: Sequence[IpAddress]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses.

        Raises:
            OSError: Another name is asked for.
        """
        if host.rstrip(".").lower() != self._host:
            raise OSError("this name was not checked")
        kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
        found = [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=kinds[address.version],
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in {socket.AF_UNSPEC, kinds[address.version]}
        ]
        if not found:
            raise OSError("no address of this kind")
        return found

    async def close(self) -> None:
        """Nothing to do."""


@asynccontextmanager
async def asked(
    target: Target, addresses: Sequence[IpAddress], connect_seconds: float, read_seconds: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    """A GET to one of the addresses. No proxy, no cookies, no redirect, nothing unpacked.

    Raises:
        aiohttp.ClientError: Nobody answers there, or not in HTTP.
        TimeoutError: Nobody answers in time.
    """
    connector = aiohttp.TCPConnector(
        resolver=Pinned(target.host, addresses), use_dns_cache=False, limit=1, force_close=True
    )
    timeout = aiohttp.ClientTimeout(
        total=None, connect=connect_seconds, sock_connect=connect_seconds, sock_read=read_seconds
    )
    async with (
        aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        ) as session,
        session.get(target.url, allow_redirects=False, headers=_HEADERS) as response,
    ):
        yield response
