"""Where a server listens: as text, as parts, and as a socket."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

UNIX_SOCKET_PATH_BYTES_MAX = 107
"""`sun_path` of Linux holds 108 bytes with the closing zero (unix(7))."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen: a Unix socket's `path`, or `host` and `port`."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Read HOST:PORT, [IPv6]:PORT or unix:PATH. Raises ValueError with the rule that `text` breaks."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        size_bytes = len(path.encode())
        if not 0 < size_bytes <= UNIX_SOCKET_PATH_BYTES_MAX:
            raise ValueError(f"must name a socket path of 1 to {UNIX_SOCKET_PATH_BYTES_MAX} bytes, not {size_bytes}")
        return ListenAddress(path=path)
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise ValueError("must be HOST:PORT, [IPv6]:PORT or unix:PATH")
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError(f"must end in a port from 0 to 65,535, not {port!r}")
    return ListenAddress(host=host[1:-1] if bracketed else host, port=int(port))


def is_near(text: str) -> bool:
    """Whether no other machine can reach what `text` names: loopback, a Unix socket, or nothing that could be listened on."""
    try:
        return parse_listen(text).loopback
    except ValueError:
        return True


def listen_socket(setting: str, text: str, backlog: int) -> socket.socket:
    """Listen on HOST:PORT, without blocking.

    Args:
        setting: name of the setting that `text` comes from; for the error.
        text: the address; port 0 picks one.
        backlog: connections that may wait to be accepted; the kernel caps it (net.core.somaxconn).

    Raises:
        OSError: the address is taken, or not of this machine; setting and address are named.
    """
    address = parse_listen(text)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left may be taken again at once
            listening.bind(where)
            listening.listen(backlog)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        message = f"{setting} {text} cannot be listened on (taken, or not of this machine); free it or choose another"
        raise OSError(error.errno, message) from error
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket, *, tls: bool) -> str:
    """The URL at which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
