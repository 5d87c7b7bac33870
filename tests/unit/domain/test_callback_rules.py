"""Which URLs and addresses callbacks may go to: all the ways to mean another place than one says, and then what is allowed."""

from __future__ import annotations

import pytest

from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.destination import parse_endpoint

OPEN = CallbackRules(["*:*", "http://*:*"])
"""Any host: what is refused is refused for its form or its address."""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "absolute http or https"),
        ("hooks.example.com", "absolute http or https"),
        ("//hooks.example.com/a", "absolute http or https"),
        ("HTTPS://hooks.example.com/", "absolute http or https"),
        ("file:///etc/passwd", "absolute http or https"),
        ("gopher://example.com/", "absolute http or https"),
        ("https://", "host name"),
        ("https:///path", "host name"),
        ("https://exa mple.com/", "printable ASCII"),
        ("https://example.com/\r\nX: y", "printable ASCII"),
        ("https://example.com/ü", "printable ASCII"),
        ("https://exämple.com/", "printable ASCII"),
        ("https://example.com\\@evil.com/", "backslashes"),
        ("https://user:secret@example.com/", "user name"),
        ("https://example.com@evil.com/", "user name"),
        ("https://example.com/#fragment", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:/", "port"),
        ("https://example.com:65536/", "is no URL"),
        ("https://example.com:4x/", "is no URL"),
        ("https://[::1/", "is no URL"),
        ("https://[v1.x]/", "between brackets"),
        ("https://example.com./", "host name"),
        ("https://-example.com/", "host name"),
        ("https://a..b/", "host name"),
        ("https://exa%6dple.com/", "host name"),
        ("https://" + "a" * 64 + ".com/", "host name"),
        ("https://example.com/" + "a" * 2_029, "at most 2,048 bytes, not 2,049"),
        ("http://127.1/", "four decimal numbers"),
        ("http://2130706433/", "four decimal numbers"),
        ("http://0x7f.0.0.1/", "four decimal numbers"),
        ("http://0x7f000001/", "four decimal numbers"),
        ("http://0177.0.0.1/", "four decimal numbers"),
        ("http://1.2.3.256/", "four decimal numbers"),
    ],
)
def test_a_url_that_is_not_plain_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OPEN.check_url(url)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
        "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1",
        "2001::1", "2001:db8::1", "2001:10::1", "3fff::1", "5f00::1", "64:ff9b:1::7f00:1", "4000::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a00:1::1", "2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:c0a8:1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="private, local, multicast or reserved"):
        OPEN.check_address(address)
    if "%" not in address:
        with pytest.raises(ValueError, match="private, local, multicast or reserved"):
            OPEN.check_url(f"http://[{address}]/" if ":" in address else f"http://{address}/")


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1",
        "223.255.0.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    ],
)  # fmt: skip
def test_a_public_address_is_allowed(address: str) -> None:
    OPEN.check_address(address)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no IP address"):
        OPEN.check_address("localhost")


@pytest.mark.parametrize(
    ("networks", "allowed", "refused"),
    [
        (["127.0.0.0/8"], ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.9.9.9"], ["::1", "10.0.0.1", "169.254.169.254"]),
        (["10.1.0.0/16"], ["10.1.255.1"], ["10.2.0.1", "127.0.0.1"]),
        (["::1/128", "fd00::/8"], ["::1", "fd12::3"], ["127.0.0.1", "fe80::1", "fc00::1"]),
        (["::ffff:0:0/96"], ["::ffff:127.0.0.1"], ["127.0.0.1"]),
    ],
)
def test_networks_are_allowed_one_by_one(networks: list[str], allowed: list[str], refused: list[str]) -> None:
    rules = CallbackRules(["*"], networks)
    for address in allowed:
        rules.check_address(address)
    for address in refused:
        with pytest.raises(ValueError):
            rules.check_address(address)


def test_without_hosts_nothing_is_allowed() -> None:
    rules = CallbackRules()
    assert not rules.enabled
    with pytest.raises(ValueError, match="callback_hosts"):
        rules.check_url("https://example.com/")


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        (
            "hooks.example.com",
            ["https://hooks.example.com/a?b=c", "https://hooks.example.com:443/"],
            [
                "http://hooks.example.com/", "https://hooks.example.com:8443/", "https://x.hooks.example.com/",
                "https://hooks.example.com.evil.com/", "https://evilhooks.example.com/",
            ],
        ),
        (
            "*.example.com",
            ["https://a.example.com/", "https://a.b.example.com/"],
            ["https://example.com/", "https://evilexample.com/", "https://example.com.evil.com/"],
        ),
        ("http://Example.com:8080", ["http://example.com:8080/"], ["https://example.com:8080/", "http://example.com/"]),
        ("example.com:*", ["https://example.com:1/", "https://example.com/"], ["http://example.com:1/"]),
        ("*", ["https://anything.example/"], ["http://anything.example/", "https://anything.example:8443/"]),
        ("https://1.1.1.1", ["https://1.1.1.1/"], ["https://1.1.1.2/"]),
        ("[2606:4700::1111]:*", ["https://[2606:4700:0:0::1111]:8443/"], ["https://[2606:4700::1112]/"]),
    ],
)  # fmt: skip
def test_an_entry_allows_what_it_says(entry: str, allowed: list[str], refused: list[str]) -> None:
    rules = CallbackRules([entry])
    assert rules.enabled
    for url in allowed:
        assert rules.check_url(url).url == url
    for url in refused:
        with pytest.raises(ValueError, match="allow-list"):
            rules.check_url(url)


@pytest.mark.parametrize(
    "entry",
    ["", "ftp://example.com", "example.com/path", "user@example.com", "example.com:0", "example.com:70000", "a b", "[::1", "::1",
     "*example.com", "*.*", "127.1", "exa_mple!.com", "https://"],
)  # fmt: skip
def test_an_entry_that_cannot_be_understood_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="''" if not entry else entry[:3].replace("*", r"\*").replace("[", r"\[")):
        CallbackRules([entry])


@pytest.mark.parametrize("network", ["10.0.0.1/8", "localhost", "10.0.0.0/33", ""])
def test_a_network_that_is_none_is_named(network: str) -> None:
    with pytest.raises(ValueError, match="CIDR"):
        CallbackRules(["*"], [network])


def test_a_host_has_one_key_however_it_is_written() -> None:
    assert parse_endpoint("https://Example.COM/a").key == "example.com:443"
    assert parse_endpoint("http://example.com/b").key == "example.com:80"
    assert parse_endpoint("http://[0:0:0:0:0:0:0:1]:81/").key == "::1:81"
