"""Where a request comes from: the other end of the connection, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from frameloom.gateway.settings.limits import Network

_ONE_SITE = 64
"""Of an IPv6 address, the part that one site has for itself."""


def peer_of(request: web.Request, trusted: Sequence[Network]) -> str:
    """The address of the client.

    ``X-Forwarded-For`` is read from its end, hop by hop, as long as the hop that speaks is trusted; what
    stands before an untrusted one may be invented.
    """
    peer = _parsed(request.remote or "")
    if peer is None:
        return request.remote or ""
    told = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    while told and any(peer in network for network in trusted):
        before = _parsed(told.pop().strip())
        if before is None:
            break
        peer = before
    return str(peer)


def site_of(peer: str) -> str:
    """What is counted as one: an address, or an IPv6 network of 64 bits, which is one subscriber's."""
    address = _parsed(peer)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _ONE_SITE), strict=False))
    return peer


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
