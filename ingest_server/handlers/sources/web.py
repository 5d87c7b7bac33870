"""Asks for a document over HTTP/1.1, and follows redirects: each is looked at as if the client had named it.

What whoever owns the host could try, and what stands against it:

- a redirect inside, to another scheme, or in circles: rules and addresses are checked anew at each, at most so many are followed,
  and none from https to http;
- an answer without an end, or one that drips: bytes are counted, and one time is over everything;
- headers of any size: read up to a limit;
- few bytes that unpack to many: no encoding is asked for, and an answer that has one all the same is refused;
- a document cut short: its length, its last chunk, or the end that TLS announces must have come.

No credentials and no cookies are sent.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import ingest_server
from ingest_server.domain.destination import DestinationRules, Endpoint
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.sources.connection import Connector, WatchedStream
from ingest_server.handlers.sources.failures import forbidden, not_found, shown, unavailable, unusable
from ingest_server.handlers.sources.names import last_segment, media_type_in, name_in
from ingest_server.handlers.sources.opened import OpenedSource
from ingest_server.handlers.sources.watch import Watch

REDIRECT_BYTES_MAX = 8_192
"""A redirect may carry a signature that makes it longer than what clients may name; servers take request lines up to this."""
_BUFFER_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that ask for another try later (RFC 9110, 8470, 6585)."""
_SAFE = "".join(map(chr, range(0x21, 0x7F)))


@contextmanager
def open_url(
    endpoint: Endpoint, rules: DestinationRules, connector: Connector, redirects_max: int, watch: Watch
) -> Iterator[OpenedSource]:
    """Ask for a document.

    Args:
        endpoint: an allowed URL.
        rules: for redirects.
        connector: makes the connections.
        redirects_max: followed.
        watch: over everything.

    Raises:
        HandlerFailure: see `Connector.connected`; SOURCE_NOT_FOUND, SOURCE_FORBIDDEN, SOURCE_UNUSABLE, SOURCE_UNAVAILABLE by what
            is answered. `read_into` raises SOURCE_UNAVAILABLE if the document breaks off.
        Cancelled: the attempt was asked to stop.
    """
    for _ in range(redirects_max + 1):
        with ExitStack() as stack:
            connection = stack.enter_context(connector.connected(endpoint, watch))
            stream = WatchedStream(connection, endpoint.url, watch)
            try:
                connection.settimeout(watch.remaining_seconds())
                connection.sendall(_request(endpoint))
                answer = _answer(stream)
            except (OSError, http.client.HTTPException) as error:
                raise _no_answer(endpoint, error) from error
            stack.callback(answer.close)
            stream.head_bytes_left = None
            if answer.status in _REDIRECTS:
                endpoint = _redirected(endpoint, answer, rules)
                continue
            _check(endpoint, answer)
            name = name_in(answer.getheader("content-disposition", "")) or last_segment(endpoint.url)
            media_type = media_type_in(answer.getheader("content-type", ""))
            yield OpenedSource(name, media_type, answer.length, partial(_read, endpoint, answer))
            return
    raise unusable(f"more than {redirects_max} redirects (source_redirects_max), the last to {shown(endpoint.url)}")


def _request(endpoint: Endpoint) -> bytes:
    parts = urlsplit(endpoint.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"User-Agent: ingest/{ingest_server.__version__}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class _Readable:
    """What the standard library's parser asks of a socket."""

    def __init__(self, stream: WatchedStream) -> None:
        self._stream = stream

    def makefile(self, _: str) -> io.BufferedReader:
        """The connection, to read from."""
        return io.BufferedReader(self._stream, _BUFFER_BYTES)


def _answer(stream: WatchedStream) -> http.client.HTTPResponse:
    """The answer, read up to its body. Raises OSError, HTTPException, HandlerFailure."""
    readable: Any = _Readable(stream)
    answer = http.client.HTTPResponse(readable, method="GET")
    answer.begin()
    return answer


def _redirected(endpoint: Endpoint, answer: http.client.HTTPResponse, rules: DestinationRules) -> Endpoint:
    """Where a redirect leads, if that is allowed."""
    location = answer.getheader("location", "")
    if not location:
        raise unusable(f"{shown(endpoint.url)} answers {answer.status}, a redirect without a place to go to")
    try:
        # Bytes beyond ASCII, which should not be there, as browsers take them; a fragment is for who reads the document.
        wanted = urljoin(endpoint.url, quote(location.encode("latin-1", "replace"), safe=_SAFE)).partition("#")[0]
        found = rules.check_url(wanted, bytes_max=REDIRECT_BYTES_MAX)
    except ValueError as error:
        raise forbidden(f"{shown(endpoint.url)} redirects to a URL that {error}") from None
    if endpoint.scheme == "https" and found.scheme != "https":
        raise forbidden(f"{shown(endpoint.url)} redirects to {shown(found.url)}, from https to http, which is not followed")
    return found


def _check(endpoint: Endpoint, answer: http.client.HTTPResponse) -> None:
    """Raise unless the answer is a document."""
    status = answer.status
    if status != http.client.OK:
        message = f"{shown(endpoint.url)} answers {status} {answer.reason[:64]}".rstrip()
        told = {"http_status": str(status)}
        if status in (404, 410):
            raise not_found(message, **told)
        if status in (401, 403, 407, 451):
            raise forbidden(message, **told)
        raise unavailable(message, **told) if status in _AGAIN or status >= 500 else unusable(message, **told)
    encoding = answer.getheader("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise unusable(f"{shown(endpoint.url)} answers in the encoding {encoding[:64]!r}, although none was asked for")
    transfer = answer.getheader("transfer-encoding", "").strip().lower()
    if transfer not in ("", "chunked"):
        raise unusable(f"{shown(endpoint.url)} answers in the transfer encoding {transfer[:64]!r}, although none was asked for")
    if len(set(answer.headers.get_all("content-length", []))) > 1:
        raise unusable(f"{shown(endpoint.url)} answers with several lengths")


def _read(endpoint: Endpoint, answer: http.client.HTTPResponse, window: memoryview) -> int:
    """The next bytes of the body; 0 at its end."""
    try:
        count = answer.readinto(window)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _broken_off(endpoint, error) from error
    if not count and answer.length:
        raise _broken_off(endpoint, EOFError(f"{answer.length:,} bytes are missing"))
    return count


def _no_answer(endpoint: Endpoint, error: Exception) -> HandlerFailure:
    if isinstance(error, OSError):  # before HTTPException: a connection that is closed at once is both
        return unavailable(f"{endpoint.key} gave no answer: {error.strerror or error}")
    return unusable(f"{shown(endpoint.url)} does not answer in HTTP/1: {type(error).__name__}: {str(error)[:100]}")


def _broken_off(endpoint: Endpoint, error: Exception) -> HandlerFailure:
    return unavailable(f"{shown(endpoint.url)} broke off: {str(error)[:200] or type(error).__name__}")
