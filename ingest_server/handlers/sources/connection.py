"""Connects to hosts that clients chose: only to addresses that the rules allow, each looked at after DNS and then connected to.

No name is resolved a second time between the look and the connection, so a name that points elsewhere a moment later gains
nothing. Proxies of the environment are not used.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest_server.domain.destination import DestinationRules, Endpoint
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.sources.addresses import Resolver, addresses_of
from ingest_server.handlers.sources.failures import forbidden, shown, unavailable, unusable
from ingest_server.handlers.sources.watch import Watch

HEAD_BYTES_MAX = 256 * 1024
"""Read of an answer until its headers have ended, interim answers included: thirty times what usual servers send at most."""


class Connector:
    """Makes connections.

    Args:
        rules: asked about every address.
        connect_seconds: longest time for one address: the connection, and TLS.
        resolver: from names to addresses.
        tls: makes the context for https, when first needed.
    """

    def __init__(
        self, rules: DestinationRules, connect_seconds: float, resolver: Resolver, tls: Callable[[], ssl.SSLContext]
    ) -> None:
        self._rules = rules
        self._connect_seconds = connect_seconds
        self._resolver = resolver
        self._tls = tls
        self._context: ssl.SSLContext | None = None

    @contextmanager
    def connected(self, endpoint: Endpoint, watch: Watch) -> Iterator[socket.socket]:
        """A connection to the host of an allowed URL, over TLS for https; closed at the end.

        Raises:
            HandlerFailure: SOURCE_FORBIDDEN (no address of it is allowed), SOURCE_UNUSABLE (its certificate cannot be verified),
                SOURCE_UNAVAILABLE, SOURCE_TIMEOUT.
            Cancelled: the attempt was asked to stop.
        """
        try:
            found = addresses_of(endpoint.host, endpoint.port, self._resolver, watch)
        except OSError as error:
            raise unavailable(f"{endpoint.host} has no address: {error.strerror or error}") from error
        refusal: HandlerFailure | None = None
        for family, address in found:
            try:
                self._rules.check_address(str(address[0]))
            except ValueError as error:
                refusal = refusal or forbidden(f"{shown(endpoint.url)} {error}")
                continue
            try:
                connection = self._connect(family, address, endpoint, watch)
            except OSError as error:
                # What a host that may be asked says weighs more than that another address of it may not.
                refusal = _no_connection(endpoint, error)
                continue
            with connection:
                yield connection
            return
        raise refusal or unavailable(f"{endpoint.host} has no address")

    def _connect(self, family: int, address: tuple[object, ...], endpoint: Endpoint, watch: Watch) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(self._connect_seconds, watch.remaining_seconds()))
            connection.connect(address)
            if endpoint.scheme == "https":
                if self._context is None:
                    self._context = self._tls()
                connection.settimeout(min(self._connect_seconds, watch.remaining_seconds()))
                # Ends that TLS did not announce must show: whoever sits between could else cut a document short.
                return self._context.wrap_socket(connection, server_hostname=endpoint.host, suppress_ragged_eofs=False)
        except BaseException:
            connection.close()
            raise
        return connection


def _no_connection(endpoint: Endpoint, error: OSError) -> HandlerFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return unusable(f"the certificate of {endpoint.key} cannot be verified: {error.verify_message}")
    if isinstance(error, TimeoutError):
        return unavailable(f"{endpoint.key} did not take the connection in time")
    return unavailable(f"no connection to {endpoint.key}: {error.strerror or error}")


class WatchedStream(io.RawIOBase):
    """What comes over a connection, as long as the watch allows.

    Args:
        connection: not closed here.
        uri: that is fetched; for errors.
        watch: asked before each wait, and several times a second while nothing comes.

    Attributes:
        head_bytes_left: may still come before the headers have ended; None once they have.
    """

    def __init__(self, connection: socket.socket, uri: str, watch: Watch) -> None:
        self._connection = connection
        self._uri = uri
        self._watch = watch
        self.head_bytes_left: int | None = HEAD_BYTES_MAX

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """What has come, at most the buffer's size; 0 at the end. Raises OSError, HandlerFailure, Cancelled."""
        while True:
            self._connection.settimeout(self._watch.tick_seconds())
            try:
                count = self._connection.recv_into(buffer)  # type: ignore[arg-type]  # typeshed knows no name for a buffer here
            except TimeoutError:
                continue
            if self.head_bytes_left is not None:
                self.head_bytes_left -= count
                if self.head_bytes_left < 0:
                    raise unusable(f"{shown(self._uri)} answers with headers of more than {HEAD_BYTES_MAX:,} bytes")
            return count
