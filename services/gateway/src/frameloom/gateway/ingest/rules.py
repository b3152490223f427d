"""Which addresses may be fetched from. Pure: nothing is looked up or connected to here.

Everything that is not plainly a public address is refused: what a name leads to is judged by the address
itself, and by every address that is hidden inside it (mapped, translated or tunnelled IPv4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import unquote

from yarl import URL

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LONGEST_URL = 2048
_LONGEST_HOST = 253
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029]")
"""No part of an address that is written rightly; parsers disagree about what they do to it."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_PORTS = {"https": 443, "http": 80}
_AUTHORITY = re.compile(r"[^/?#]*//([^/?#]*)")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
"""A last label of this form makes of a name an IPv4 address for some resolvers."""

_CLOSED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # the inside of Azure, at a public address
        "169.254.0.0/16",  # link-local: metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_UNICAST6 = IPv6Network("2000::/3")
"""All of IPv6 that is given out. Loopback, link-local, unique local, multicast and the rest lie outside."""
_NAT64 = IPv6Network("64:ff9b::/96")


class RefusedAddress(Exception):  # noqa: N818 - an answer, not an error
    """The address is not fetched from. The text says why, and tells nothing of our network."""


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What is allowed.

    Attributes:
        hosts: Only these, and with a leading dot what lies below; empty: any.
        http_hosts: Where http is allowed beside https.
        networks: Networks that are open although they are not public.
        ports: Ports that are open, beside 443 and 80.
    """

    hosts: tuple[str, ...] = ()
    http_hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """Where to fetch from.

    Attributes:
        url: As it is asked for.
        host: In lower case, without a last dot; of an IPv6 address without brackets.
        port: Where to connect.
        address: The host, if it is an address itself.
    """

    url: URL
    host: str
    port: int
    address: IpAddress | None

    @property
    def filename(self) -> str | None:
        """What the file is called, as far as the path tells."""
        return unquote(self.url.raw_path).rpartition("/")[2] or None


def target(text: str, rules: UrlRules) -> Target:
    """Reads an address that a client, or a server by a redirect, has given.

    Raises:
        RefusedAddress: It can not be read, or is not allowed.
    """
    if len(text) > _LONGEST_URL:
        raise RefusedAddress(f"it has more than {_LONGEST_URL} characters")
    if not text or _UNFIT.search(text):
        raise RefusedAddress("it has characters that belong into no address: write them percent-encoded")
    try:
        url = URL(text)
        port = url.port
        host = _host(url)
    except ValueError as error:
        raise RefusedAddress("it is no address that can be read") from error
    if url.scheme not in _PORTS:
        raise RefusedAddress("only https addresses are fetched")
    written = _AUTHORITY.match(text)
    if "@" in url.raw_authority or (written is not None and "@" in written[1]):
        raise RefusedAddress("it has a user name or a password in it")
    if written is not None and "[" in written[1] and ":" not in host:
        raise RefusedAddress("its host is no address that can be read")
    address = _literal(host)
    if rules.hosts and not listed(host, rules.hosts):
        raise RefusedAddress("its host is not among those that this server fetches from")
    if url.scheme == "http" and not listed(host, rules.http_hosts):
        raise RefusedAddress("only https addresses are fetched")
    if port is None or (port not in _PORTS.values() and port not in rules.ports):
        raise RefusedAddress("its port is not open here")
    if address is not None:
        require_open(address, rules)
    return Target(_with_host(url, host), host, port, address)


def require_open(address: IpAddress, rules: UrlRules) -> None:
    """Refuses an address that is not a public one, unless its network was opened.

    Raises:
        RefusedAddress: It is not.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RefusedAddress("its host has a zone")
    if isinstance(address, IPv6Address):
        for inner in _hidden(address):
            require_open(inner, rules)
    if any(address in network for network in rules.networks if network.version == address.version):
        return
    public = address in _UNICAST6 if isinstance(address, IPv6Address) else address.is_global
    closed = any(address in network for network in _CLOSED if network.version == address.version)
    if closed or address.is_multicast or not public:
        raise RefusedAddress("its host is not at a public address")


def listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host is among those, or below one that begins with a dot."""
    return any(host.endswith(one) if one.startswith(".") else host == one for one in hosts)


def _host(url: URL) -> str:
    """The host as it is looked up: IDNA, lower case, without a last dot.

    Raises:
        RefusedAddress: There is none, or it is no name.
    """
    raw = url.raw_host
    if not raw:
        raise RefusedAddress("it has no host")
    host = raw.lower()
    if "%" in host:
        raise RefusedAddress("its host has a zone, or is percent-encoded")
    return host.removesuffix(".") if ":" not in host else host


def _literal(host: str) -> IpAddress | None:
    """The address that a host is, if it is one.

    Raises:
        RefusedAddress: It is neither a name nor an address in its usual form.
    """
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError as error:
            raise RefusedAddress("its host is no address that can be read") from error
    if _NUMERIC.fullmatch(host.rpartition(".")[2]):
        try:
            return ip_address(host)
        except ValueError as error:
            raise RefusedAddress("its host is an address in an unusual form") from error
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise RefusedAddress("its host is no name")
    return None


def _with_host(url: URL, host: str) -> URL:
    """The same with the host that was judged, and without a fragment."""
    return url.with_host(host).with_fragment(None)


def _hidden(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that a translator or a tunnel would take an IPv6 address for."""
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address in _NAT64:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
