"""Where a server listens, as text and as parts."""

from __future__ import annotations

import ipaddress
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
