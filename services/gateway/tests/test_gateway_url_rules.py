"""Which addresses may be fetched from: every trick that leads inside is refused, without asking anybody."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from frameloom.gateway.ingest.rules import RefusedAddress, UrlRules, listed, require_open, target

RULES = UrlRules()


@pytest.mark.parametrize(
    ("url", "host", "asked"),
    [
        ("https://example.com/a.mp4", "example.com", "https://example.com/a.mp4"),
        ("HTTPS://EXAMPLE.com/A.mp4", "example.com", "https://example.com/A.mp4"),
        ("https://example.com.:443/a?b=c#d", "example.com", "https://example.com/a?b=c"),
        ("https://bücher.example/ä b.mp4".replace(" ", "%20"), "xn--bcher-kva.example", None),
        ("https://ⓔxample.com/", "example.com", "https://example.com/"),
        ("https://a。example/", "a.example", "https://a.example/"),
        ("https://example.com:80/", "example.com", "https://example.com:80/"),
        ("https://8.8.8.8/x", "8.8.8.8", "https://8.8.8.8/x"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", "https://[2606:4700::1111]/x"),
        ("https://example.com/a%2Fb@c:d", "example.com", None),
        ("https://example.com#@127.0.0.1/", "example.com", "https://example.com"),
        ("https://example.com?@127.0.0.1/[", "example.com", None),
    ],
)
def test_public_addresses_are_read(url: str, host: str, asked: str | None) -> None:
    found = target(url, RULES)
    assert (found.host, found.url.raw_host) == (host, host)
    assert asked is None or str(found.url) == asked


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "characters"),
        (" https://example.com/", "characters"),
        ("https://example.com/\r\nHost: x", "characters"),
        ("https://example.com\t/", "characters"),
        ("https://exa\\mple.com/", "characters"),
        ("https://example.com\\@127.0.0.1/", "characters"),
        ("https://example.com/\u2028", "characters"),
        ("https://example.com/" + "a" * 2048, "2048"),
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https"),
        ("file:///etc/passwd", "no host"),
        ("gopher://example.com/", "https"),
        ("data:video/mp4;base64,AAAA", "no host"),
        ("//example.com/a", "https"),
        ("example.com/a", "no host"),
        ("https:example.com/", "no host"),
        ("https:///a", "no host"),
        ("https://user@example.com/", "user name"),
        ("https://user:secret@example.com/", "user name"),
        ("https://:@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com:443@127.0.0.1/", "user name"),
        ("https://a@b@127.0.0.1/", "user name"),
        ("https://example.com:22/", "port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:8443/", "port"),
        ("https://example.com:99999/", "read"),
        ("https://example.com:x/", "read"),
        ("https://ex%61mple.com/", "percent-encoded"),
        ("https://-a.example/", "no name"),
        ("https://a..example/", "no name"),
        ("https://.example/", "no name"),
        ("https://exa*mple.com/", None),
        ("https://" + "a" * 64 + ".example/", None),
        ("https://" + ".".join(["a" * 60] * 5) + "/", None),
        # IPv4 in the forms that resolvers of the system take
        ("https://2130706433/", "unusual"),
        ("https://0x7f000001/", "unusual"),
        ("https://0x7f.1/", "unusual"),
        ("https://127.1/", "unusual"),
        ("https://127.0.1/", "unusual"),
        ("https://0177.0.0.1/", "unusual"),
        ("https://127.0.0.01/", "unusual"),
        ("https://127.0.0.0x1/", "unusual"),
        ("https://017700000001/", "unusual"),
        ("https://0/", "unusual"),
        ("https://0x/", "unusual"),
        ("https://1.2.3.4.5/", "unusual"),
        ("https://256.0.0.1/", "unusual"),
        ("https://a.127/", "unusual"),
        ("https://0.0.0.0/", "public"),
        ("https://127.0.0.1/", "public"),
        ("https://127.0.0.1./", "public"),
        ("https://１２７.0.0.1/", "public"),
        ("https://169.254.169.254/latest/meta-data/", "public"),
        ("https://10.0.0.1/", "public"),
        ("https://100.100.100.200/", "public"),
        ("https://168.63.129.16/", "public"),
        # IPv6
        ("https://[::]/", "public"),
        ("https://[::1]/", "public"),
        ("https://[::ffff:127.0.0.1]/", "public"),
        ("https://[::ffff:7f00:1]/", "public"),
        ("https://[::ffff:8.8.8.8]/", "public"),
        ("https://[::127.0.0.1]/", "public"),
        ("https://[64:ff9b::127.0.0.1]/", "public"),
        ("https://[64:ff9b::8.8.8.8]/", "public"),
        ("https://[64:ff9b:1::a00:1]/", "public"),
        ("https://[2002:7f00:1::]/", "public"),
        ("https://[2001:0:a00:1::]/", "public"),
        ("https://[fe80::1]/", "public"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://[fe80::1%eth0]/", None),
        ("https://[fd00:ec2::254]/", "public"),
        ("https://[fec0::1]/", "public"),
        ("https://[ff02::1]/", "public"),
        ("https://[100::1]/", "public"),
        ("https://[2001:db8::1]/", "public"),
        ("https://[v1.x]/", None),
        ("https://[::1", "read"),
    ],
)
def test_everything_else_is_refused(url: str, why: str | None) -> None:
    with pytest.raises(RefusedAddress, match=why):
        target(url, RULES)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.255.0.1", "100.64.0.1", "100.127.255.255", "127.255.255.254"),
        *("169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1"),
        *("192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1"),
        *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *(
            "::",
            "::1",
            "::2",
            "::ffff:10.0.0.1",
            "::ffff:1.1.1.1",
            "fe80::5",
            "febf::1",
            "fc00::1",
            "fdff::1",
        ),
        *("ff00::1", "ff0e::1", "64:ff9b::1.1.1.1", "64:ff9b:1::1", "100::", "2001::1", "2001:10::1"),
        *("2001:db8:1::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "4000::1", "fe80::1%eth0"),
    ],
)
def test_what_is_not_public_is_closed(address: str) -> None:
    with pytest.raises(RefusedAddress):
        require_open(ip_address(address), RULES)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1", "2a00::1"]
)
def test_what_is_public_is_open(address: str) -> None:
    require_open(ip_address(address), RULES)


def test_an_operator_opens_networks_but_not_what_is_hidden_in_them() -> None:
    rules = UrlRules(networks=(ip_network("10.1.0.0/16"), ip_network("64:ff9b::/96")))
    require_open(ip_address("10.1.2.3"), rules)
    require_open(ip_address("64:ff9b::8.8.8.8"), rules)
    for closed in ("10.2.0.1", "64:ff9b::10.2.0.1", "::ffff:10.1.2.3", "127.0.0.1"):
        with pytest.raises(RefusedAddress):
            require_open(ip_address(closed), rules)


def test_an_operator_names_hosts_and_ports() -> None:
    rules = UrlRules(
        hosts=("media.example", ".cdn.example"), http_hosts=("media.example",), ports=frozenset({8443})
    )
    for fine in (
        "https://media.example/",
        "https://MEDIA.example.:8443/",
        "http://media.example/",
        "https://a.b.cdn.example/",
    ):
        target(fine, rules)
    for refused in (
        "https://example.com/",
        "https://cdn.example/",
        "https://evilcdn.example/",
        "https://media.example.evil.example/",
        "https://xmedia.example/",
        "http://a.cdn.example/",
        "https://media.example:9/",
        "https://8.8.8.8/",
    ):
        with pytest.raises(RefusedAddress):
            target(refused, rules)


def test_a_name_is_listed_as_it_is_written_or_below() -> None:
    assert listed("a.example", ("a.example",))
    assert listed("b.a.example", (".a.example",))
    assert not listed("a.example", (".a.example",))
    assert not listed("ba.example", ("a.example",))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/clip%20one.mp4", "clip one.mp4"), ("/", None), ("", None), ("/a/", None), ("/x?y=z.mp4", "x")],
)
def test_the_file_is_called_as_in_the_path(path: str, name: str | None) -> None:
    assert target(f"https://example.com{path}", RULES).filename == name
