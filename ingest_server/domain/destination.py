"""Where the server may connect to at a client's wish: allowed hosts, and addresses of the public internet unless others are too.

Two questions, asked at different times. *May this URL be called?* depends on its text alone; it is asked when a job is accepted
and again before every call, since settings change. *May this address be connected to?* is asked of the very address a connection
is about to be made to, after DNS: a name that is allowed may point anywhere, and elsewhere a moment later.

Addresses: the tables below are the IANA IPv4 and IPv6 Special-Purpose Address Registries, without the blocks that are globally
reachable. `ipaddress.is_global` is not used, because what it answers differs between versions of Python (CVE-2024-4032).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

URL_BYTES_MAX = 2_048
"""job.proto, Callback.url and Payload.uri."""
HOSTS_MAX = 1_024
"""Hosts of which is remembered whether they are addresses: the jobs of a call mostly share a few."""
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PLAIN = re.compile(r"[!-\[\]-~]*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_ENTRY = re.compile(r"(?:(https?)://)?(\*\.)?(\[[0-9a-fA-F:.]+\]|\*|[^\[\]:/@?#*\s]+)(?::(\d{1,5}|\*))?")

_SPECIAL_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_GLOBAL_6 = IPv6Network("2000::/3")
"""All that is allocated as global unicast (RFC 4291); what lies outside is loopback, link-local, unique local, multicast, or not
assigned."""
_SPECIAL_6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped (RFC 4291)
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64 (RFC 6052)
    (IPv6Network("2002::/16"), 80),  # 6to4 (RFC 3056)
)
"""IPv6 addresses that lead to the IPv4 address written in them, and how many bits stand behind it: they are judged by that one.
Teredo, IPv4-compatible and the local block of NAT64 need no line: they lie in special blocks, so they are refused."""
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""Bits 64 … 95 of an ISATAP address (RFC 5214), which ends with an IPv4 address, mostly a private one."""


class Endpoint(NamedTuple):
    """An allowed URL, taken apart.

    Attributes:
        url: as it was given.
        scheme: http or https.
        host: name or address in lower case, without brackets.
        port: 1 … 65,535.
    """

    url: str
    scheme: str
    host: str
    port: int

    @property
    def key(self) -> str:
        """What bounds and fairness go by: `host:port`."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _HostRule:
    """One entry of the allow-list. `host` "" stands for any; `suffix` means names below it; port 0 for any."""

    scheme: str
    host: str
    suffix: bool
    port: int

    def permits(self, scheme: str, host: str, port: int) -> bool:
        if scheme != self.scheme or (self.port and port != self.port):
            return False
        if self.suffix:
            return host.endswith("." + self.host)
        return not self.host or host == self.host


class DestinationRules:
    """The rules of one server for one purpose.

    Args:
        purpose: first word of the settings `…_hosts` and `…_networks`, which errors name.
        hosts: entries `[SCHEME://]HOST[:PORT]`. HOST is a name or an address (IPv6 in brackets), `*.NAME` for all names below it,
            or `*` for all. SCHEME is https where none is given. PORT is the scheme's own where none is given, `*` for any.
        networks: blocks in CIDR form to which connections may be made although they are not of the public internet.

    Raises:
        ValueError: an entry cannot be understood; names the entry.
    """

    def __init__(self, purpose: str, hosts: Sequence[str] = (), networks: Sequence[str] = ()) -> None:
        self._purpose = purpose
        self._hosts = tuple(map(_host_rule, hosts))
        self._networks = tuple(map(_network, networks))

    @property
    def enabled(self) -> bool:
        """Whether any host is allowed."""
        return bool(self._hosts)

    @property
    def schemes(self) -> frozenset[str]:
        """Those of http and https that some host is allowed for."""
        return frozenset(rule.scheme for rule in self._hosts)

    def check_url(self, url: str, *, bytes_max: int = URL_BYTES_MAX) -> Endpoint:
        """Take a URL of at most `bytes_max` bytes apart. Raises ValueError, to be read after the name of the field, if it must
        not be called."""
        endpoint = parse_endpoint(url, bytes_max=bytes_max)
        if not any(rule.permits(*endpoint[1:]) for rule in self._hosts):
            raise ValueError(
                f"goes to {endpoint.scheme}://{endpoint.key}, which is not on this server's allow-list; whoever runs it "
                f"decides with the setting {self._purpose}_hosts"
            )
        if (literal := _literal(endpoint.host)) is not None:
            self.check_address(str(literal))
        return endpoint

    def check_address(self, text: str) -> None:
        """Raise ValueError, to be read after the name of the field, if no connection must be made to this address."""
        try:
            address = ip_address(text)
        except ValueError:
            raise ValueError(f"leads to {text}, which is no IP address") from None
        inner = _embedded(address)
        if any(each in network for network in self._networks for each in (address, inner) if each.version == network.version):
            return
        if _is_special(inner):
            raise ValueError(
                f"leads to {text}, which is private, local, multicast or reserved; whoever runs the server can allow it with "
                f"the setting {self._purpose}_networks"
            )


def parse_endpoint(url: str, *, bytes_max: int = URL_BYTES_MAX) -> Endpoint:
    """Take a URL apart. Raises ValueError, to be read after the name of the field, if it is not one that can be called."""
    check_length(url, bytes_max)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"must be an absolute http or https URL, not {url[:40]!r}")
    if not is_plain(url):
        raise ValueError("must be of printable ASCII without spaces and backslashes: escape others as %XX, names as xn--")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    if "#" in url:
        raise ValueError("must not hold a fragment")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("must have a port of 1 … 65,535, or none")
    host = _host(parts.hostname or "")
    if ("[" in parts.netloc) != (":" in host):
        raise ValueError(f"must have an IPv6 address between brackets, and nothing else there, not {parts.netloc[:64]!r}")
    return Endpoint(url, parts.scheme, host, port or _PORTS[parts.scheme])


def check_length(url: str, bytes_max: int = URL_BYTES_MAX) -> None:
    """Raise ValueError if a URL is longer than it may be."""
    size_bytes = len(url.encode("utf-8", "surrogatepass"))
    if size_bytes > bytes_max:
        raise ValueError(f"must have at most {bytes_max:,} bytes, not {size_bytes:,}")


def is_plain(url: str) -> bool:
    """Whether a URL is of printable ASCII without spaces and backslashes, as RFC 3986 has it."""
    return _PLAIN.fullmatch(url) is not None


@lru_cache(maxsize=HOSTS_MAX)
def _literal(text: str) -> Address | None:
    """The address that a host is; None if it is a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _host(text: str) -> str:
    """A name, or an address in its one usual form. Raises ValueError."""
    if (literal := _literal(text)) is not None:
        return str(literal)
    if not _NAME.fullmatch(text):
        raise ValueError(f"must have a host name of letters, digits and dashes, or an IP address, not {text[:64]!r}")
    if _NUMBER.fullmatch(text.rpartition(".")[2]):
        # What ends in a number is an address in one of its unusual forms (127.1, 0x7f000001), or nothing at all.
        raise ValueError(f"must have an IPv4 address written as four decimal numbers, not {text[:64]!r}")
    return text


def _host_rule(entry: str) -> _HostRule:
    match = _ENTRY.fullmatch(entry)
    if match is None or (match[2] and match[3] == "*"):
        raise ValueError(f"{entry!r} is not of the form [http://|https://]HOST[:PORT], with HOST a name, *.NAME, an address or *")
    scheme, wildcard, host, port = match.groups()
    if port not in (None, "*") and not 1 <= int(port) <= 65_535:
        raise ValueError(f"{entry!r} has a port that is not 1 … 65,535")
    scheme = scheme or "https"
    number = 0 if port == "*" else int(port or _PORTS[scheme])
    if host == "*":
        return _HostRule(scheme, "", False, number)
    try:
        return _HostRule(scheme, _host(host.strip("[]").lower()), bool(wildcard), number)
    except ValueError as error:
        raise ValueError(f"{entry!r} {error}") from None


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network in CIDR form, such as 10.0.0.0/8: {error}") from None


def _embedded(address: Address) -> Address:
    """The address that decides: an IPv4 address written inside an IPv6 one, or the address itself."""
    if isinstance(address, IPv6Address) and not address.scope_id:
        for network, bits in _EMBEDDING:
            if address in network:
                return IPv4Address(int(address) >> bits & 0xFFFFFFFF)
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_special(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _SPECIAL_4)
    return bool(address.scope_id) or address not in _GLOBAL_6 or any(address in network for network in _SPECIAL_6)
