"""Calls receivers over HTTP: the one place that connects to addresses that clients chose.

What an attacker who chooses the URL, or owns the receiver or its DNS, could try, and what stands against it:

- a name that points inside, or points elsewhere a moment later: the address is checked when the socket for it is made, after DNS,
  and no other is connected to;
- a redirect inside: none is followed;
- proxies and credentials of the environment (HTTP_PROXY, .netrc): not read; cookies: not kept;
- an answer without an end, or of huge headers: read up to a limit, then the connection is closed; compressed bodies stay so;
- an answer that never comes: one deadline over everything.
"""

from __future__ import annotations

import email.utils
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

import ingest_server
from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.destination import Endpoint
from ingest_server.scheduler.callback_dns import ThreadedDns
from ingest_server.scheduler.callbacks import NoReply, Reply

_HEADERS = {
    "user-agent": f"ingest/{ingest_server.__version__}",
    "content-type": "application/json",
    "accept-encoding": "identity",
}
_HEADER_BYTES_MAX = 8_190
"""Of one line, the usual bound of servers and aiohttp's own."""
_IDLE_SECONDS = 15.0
"""An unused connection is kept so long for the next call to its host."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one call.

    Attributes:
        connect_seconds: for DNS, connection and TLS.
        attempt_seconds: for everything.
        response_bytes_max: read of the answer's body, which means nothing.
        connections_max, connections_per_host_max: open at once.
    """

    connect_seconds: float
    attempt_seconds: float
    response_bytes_max: int
    connections_max: int
    connections_per_host_max: int


class RefusedAddress(OSError):
    """A connection to an address that the rules refuse."""


class HttpTransport:
    """Implements `callbacks.Transport`. Made and used inside one running event loop.

    Args:
        rules: asked about every address.
        resolver: from names to addresses; None: `ThreadedDns`.
        tls: for https; None: the system's authorities, names checked.
    """

    def __init__(
        self,
        rules: CallbackRules,
        clock: Clock,
        limits: HttpLimits,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._limits = limits
        connector = aiohttp.TCPConnector(
            resolver=resolver or ThreadedDns(),
            ssl=tls or ssl.create_default_context(),
            use_dns_cache=False,
            socket_factory=self._make_socket,
            limit=limits.connections_max,
            limit_per_host=limits.connections_per_host_max,
            keepalive_timeout=_IDLE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limits.attempt_seconds, connect=limits.connect_seconds),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_HEADER_BYTES_MAX,
            max_field_size=_HEADER_BYTES_MAX,
            headers=_HEADERS,
        )

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], content: bytes) -> Reply:
        """See `Transport.post`."""
        try:
            response = await self._session.post(endpoint.url, data=content, headers=headers, allow_redirects=False)
            try:
                await self._read_some(response)
                return Reply(response.status, self._retry_after(response.headers.get("retry-after", "")))
            finally:
                response.close()
        except aiohttp.ConnectionTimeoutError:
            raise NoReply(f"no connection within {self._limits.connect_seconds:g} s") from None
        except TimeoutError:
            raise NoReply(f"no answer within {self._limits.attempt_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoReply(_why(error)) from None

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._session.close()

    async def _read_some(self, response: aiohttp.ClientResponse) -> None:
        """Take in a short body, so that the connection can be used again. The status is what counts: a body that breaks off, or
        has no end, changes nothing."""
        try:
            left = self._limits.response_bytes_max
            while left > 0:
                data = await response.content.read(left)
                if not data:
                    response.release()
                    return
                left -= len(data)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket for one address that is about to be connected to: here it is decided whether it may be."""
        family, kind, protocol, _, address = info
        try:
            self._rules.check_address(address[0])
        except ValueError as error:
            raise RefusedAddress(f"not called: it {error}") from None
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _retry_after(self, text: str) -> float:
        """Seconds that a Retry-After asks for (RFC 9110, 10.2.3): a number, or a date. 0 for none, or nonsense."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = email.utils.parsedate_to_datetime(text).timestamp() if text else 0.0
        except (ValueError, OverflowError):
            return 0.0
        return max(moment - self._clock.now_us() / MICROSECONDS_PER_SECOND, 0.0)


def _why(error: BaseException) -> str:
    """A reason for the owner of the job: the innermost cause, without what aiohttp puts around it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RefusedAddress):
            return str(seen)
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not accepted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"its name cannot be resolved: {error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not HTTP: {error.message.splitlines()[0] if error.message else error.status}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    return f"{type(error).__name__}: {error}"
