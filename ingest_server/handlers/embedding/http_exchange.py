"""One HTTP request and its answer, both bounded: in bytes, in time from first to last, and by a cancel at any moment.

The standard library's client has a timeout for each read only, so a server that sends a byte now and then holds it for ever. A
thread beside the request therefore shuts the socket when the time is up or the attempt was asked to stop.
"""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

WATCH_SECONDS = 0.1
"""How often the thread beside looks for a cancel."""
PIECE_BYTES = 64 * 1024


class Answer(NamedTuple):
    """What came back: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ExchangeFailed(Exception):
    """No whole answer came; the text says why, for people. `retryable`: whether another try may help."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class HttpPost:
    """POST requests to one URL, over one connection that is kept while the server keeps it. No redirects, no proxies.

    Args:
        url: http or https.
        headers: of every request.
        response_bytes_max: largest body that is taken.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, response_bytes_max: int) -> None:
        parts = urlsplit(url)
        self._encrypted = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path or "/"
        self._headers = {"accept": "application/json", "accept-encoding": "identity", **headers}
        self._response_bytes_max = response_bytes_max
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, *, seconds: float, cancelled: Callable[[], bool]) -> Answer:
        """Send one request.

        Args:
            body: of the request, JSON.
            seconds: from connecting to the last byte of the answer.
            cancelled: whether to stop; asked every tenth of a second.

        Raises:
            ExchangeFailed: no whole answer within the bounds. After it the connection is closed.
        """
        try:
            with _Watch(seconds, cancelled) as watch:
                try:
                    self._connect(seconds, watch)
                    return self._exchange(body)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    if watch.fired:
                        raise ExchangeFailed(f"there was no whole answer within {seconds:.3g} s") from error
                    raise ExchangeFailed(f"the connection broke: {_told(error)}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self, seconds: float, watch: _Watch) -> None:
        """Have a connection that is watched, the one before or a new one."""
        if self._connection is not None and self._connection.sock is not None:
            watch.over(self._connection.sock)
            return
        self.close()
        port = self._port or (443 if self._encrypted else 80)
        try:
            plain = socket.create_connection((self._host, port), seconds)
        except OSError as error:
            raise ExchangeFailed(f"no connection: {_told(error)}") from error
        plain.settimeout(None)  # from here on the watch ends it
        watch.over(plain)
        if not self._encrypted:
            connection = http.client.HTTPConnection(self._host, self._port)
            connection.sock = plain
        else:
            # The handshake apart: it too may be drawn out, so it has to be watched.
            encrypted = _trust().wrap_socket(plain, server_hostname=self._host, do_handshake_on_connect=False)
            connection = http.client.HTTPSConnection(self._host, self._port, context=_trust())
            connection.sock = encrypted
            watch.over(encrypted)
        self._connection = connection
        if self._encrypted:
            encrypted.do_handshake()

    def _exchange(self, body: bytes) -> Answer:
        connection = self._connection
        assert connection is not None, "made by `_connected`"
        connection.request("POST", self._path, body, {**self._headers, "content-type": "application/json"})
        with connection.getresponse() as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise ExchangeFailed("the answer is compressed although that was not asked for", retryable=False)
            if response.length is not None and response.length > self._response_bytes_max:
                raise self._too_large(response.length)
            pieces, size = [], 0
            while piece := response.read1(PIECE_BYTES):
                size += len(piece)
                if size > self._response_bytes_max:
                    raise self._too_large(size)
                pieces.append(piece)
            # `read1` takes an early end for the end.
            if response.length:
                raise ExchangeFailed(f"the answer ended {response.length:,} bytes early")
        return Answer(response.status, headers, b"".join(pieces))

    def _too_large(self, size: int) -> ExchangeFailed:
        return ExchangeFailed(
            f"the answer has {size:,} bytes or more; at most {self._response_bytes_max:,} (embed_response_bytes_max) are taken",
            retryable=False,
        )


class _Watch:
    """Shuts a socket when the time is up or a cancel came, for as long as it is entered.

    Attributes:
        fired: whether it has.
    """

    def __init__(self, seconds: float, cancelled: Callable[[], bool]) -> None:
        self.fired = False
        self._socket: socket.socket | None = None
        self._seconds = seconds
        self._cancelled = cancelled
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-embed-watch", daemon=True)

    def over(self, watched: socket.socket) -> None:
        """Watch this socket from now on. If the time is up already, it is shut at once."""
        self._socket = watched
        if self.fired:
            self._shut()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        # Signals are for the main thread: one that came here would leave it waiting.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        left = self._seconds
        while left > 0 and not self._cancelled():
            if self._done.wait(min(left, WATCH_SECONDS)):
                return
            left -= WATCH_SECONDS
        self.fired = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            try:
                # Of the base class: that of a TLS socket takes the session away under the reader's hands.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                pass  # not connected any more


@cache
def _trust() -> ssl.SSLContext:
    """The system's authorities, read once in a process."""
    return ssl.create_default_context()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
