"""Where and how the server listens: addresses, TLS, and the options of gRPC with their reasons."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass

import grpc

UNIX_PREFIX = "unix:"
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """PEM texts.

    Attributes:
        certificate_chain: the server's certificate, then its issuers.
        private_key: of the first certificate.
        client_authorities: who signs client certificates; b"" where clients need none. With it a client without a good
            certificate does not get through the handshake.
    """

    certificate_chain: bytes
    private_key: bytes
    client_authorities: bytes = b""

    def credentials(self) -> grpc.ServerCredentials:
        """As gRPC wants them."""
        pair = (self.private_key, self.certificate_chain)
        return grpc.ssl_server_credentials(
            [pair], root_certificates=self.client_authorities or None, require_client_auth=bool(self.client_authorities)
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on: "HOST:PORT" (port 0 picks one) or "unix:PATH"; with TLS or without."""

    address: str
    tls: TlsMaterial | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """Bounds of connections.

    Attributes:
        message_bytes_max: largest message.
        keepalive_seconds: a silent connection is asked after this whether it lives.
        keepalive_timeout_seconds: and given up when it has not answered for so long.
        ping_interval_seconds_min: a client that asks more often than this without having data is sent away.
        connection_streams_max: calls under way in one connection; a client with more waits for its own.
    """

    message_bytes_max: int
    keepalive_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    ping_interval_seconds_min: float = 5.0
    connection_streams_max: int = 10_000

    def channel_arguments(self) -> list[tuple[str, int]]:
        """As gRPC wants them."""
        return [
            # A second server on the port must fail, not share it silently and take half of the calls.
            ("grpc.so_reuseport", 0),
            # Above the limit we enforce ourselves, so that what is a little too large gets an answer that says so.
            ("grpc.max_receive_message_length", 2 * self.message_bytes_max),
            ("grpc.max_send_message_length", 2 * self.message_bytes_max),
            ("grpc.keepalive_time_ms", round(self.keepalive_seconds * 1_000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_timeout_seconds * 1_000)),
            # A watch may be silent for a minute, and a client may hold a connection for later: neither is an attack.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", round(self.ping_interval_seconds_min * 1_000)),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_concurrent_streams", self.connection_streams_max),
        ]


def bind_listener(server: grpc.aio.Server, listener: Listener) -> str:
    """Make a server listen.

    Returns:
        The address, with the port that was picked in place of 0.

    Raises:
        OSError: the address is taken, not ours, or not understood; it is named.
    """
    address = listener.address
    if address.startswith(UNIX_PREFIX):
        _check_socket_path(address.removeprefix(UNIX_PREFIX))
    else:
        _check_port(address)
    try:
        if listener.tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, listener.tls.credentials())
    except RuntimeError as error:
        number, reason = _why_not(address)
        raise OSError(number, f"cannot listen on {address}: {reason}") from error
    if address.startswith(UNIX_PREFIX):
        # Whoever may write to the socket may call; that is the server's own user, and nobody else.
        os.chmod(address.removeprefix(UNIX_PREFIX), 0o600)
        return address
    if not port:
        raise OSError(errno.EADDRINUSE, f"cannot listen on {address}: it is taken, or not an address of this machine")
    return f"{address.rpartition(':')[0]}:{port}"


def _why_not(address: str) -> tuple[int, str]:
    """Why an address cannot be bound: error number, and words. gRPC does not tell, so it is tried once more without gRPC."""
    if address.startswith(UNIX_PREFIX):
        return errno.EADDRNOTAVAIL, "its folder must exist, this user must be allowed to write to it, and the path must be short"
    host, _, port = address.rpartition(":")
    try:
        for family, kind, protocol, _, where in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return errno.EADDRINUSE, "the port is taken, perhaps by another server; give another one, or 0 to have one picked"
        return error.errno or errno.EADDRNOTAVAIL, (error.strerror or str(error)).lower()
    return errno.EADDRNOTAVAIL, "it is taken, or not an address of this machine"


def remove_socket(address: str) -> None:
    """Remove the file of a Unix socket, if the address is one. gRPC leaves it behind in some versions."""
    if address.startswith(UNIX_PREFIX):
        try:
            os.unlink(address.removeprefix(UNIX_PREFIX))
        except FileNotFoundError:
            pass  # gRPC was quicker


def _check_port(address: str) -> None:
    """Raise OSError for a port that does not exist: gRPC would take it modulo 65,536."""
    port = address.rpartition(":")[2]
    if not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        raise OSError(errno.EINVAL, f"cannot listen on {address}: an address is HOST:PORT, with a port of 0 … {PORT_MAX:,}")


def _check_socket_path(path: str) -> None:
    """Raise OSError if a server answers at `path`, or if something is there that is no socket: gRPC would remove either."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.EEXIST, f"cannot listen on unix:{path}: there is a file of that name, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            return  # left behind by a server that is gone
    raise OSError(errno.EADDRINUSE, f"cannot listen on unix:{path}: another server answers there")
