"""A client of S3: looks at, reads and writes objects as streams. One connection per request; retries are the job's affair."""

from __future__ import annotations

import hashlib
import http.client
import io
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import BinaryIO

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.s3_address import S3Address
from ingest_server.handlers.s3.errors import S3Error
from ingest_server.handlers.s3.service import S3Service
from ingest_server.handlers.s3.signature import EMPTY_SHA256, signed_headers

PIECE_BYTES = 256 * 1_024
PUT_BYTES_MAX = 5 * 1_024**3
"""Of S3 itself, for an object that is written in one request."""
ERROR_BYTES_MAX = 16 * 1_024
"""Read of an error's body: its code and message stand at its beginning."""
_RETRYABLE_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504))
_RETRYABLE_CODES = frozenset(("RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted"))
_ERROR_FIELD = "<{0}>([^<]{{0,500}})</{0}>"


@dataclass(frozen=True, slots=True)
class S3Object:
    """What the service says of an object: its size, media type ("" where it has none) and entity tag (as sent, in quotes)."""

    size_bytes: int
    media_type: str
    etag: str


def _never() -> None:
    """No cancel to look for."""


class S3Client:
    """Requests to one service. Holds no connection between two requests, so it may be made before a fork.

    Args:
        service: where requests go, and who signs them.
        idle_seconds: longest time for a connection, and longest silence within a request.
        clock: tells the time of signatures.
    """

    def __init__(self, service: S3Service, *, idle_seconds: float = 30.0, clock: Clock | None = None) -> None:
        self._service = service
        self._idle_seconds = idle_seconds
        self._clock = clock or SystemClock()

    def head(self, address: S3Address) -> S3Object:
        """Look at an object without reading it.

        Raises:
            S3Error: status 404 if it is not there (or 403, where the account may not list), and all else that goes wrong.
        """
        with self._answer("HEAD", address) as answer:
            return _described(answer, address)

    def get(self, address: S3Address, into: BinaryIO, *, bytes_max: int, check: Callable[[], None] = _never) -> S3Object:
        """Write an object's bytes to `into`, in pieces of 256 KiB.

        Args:
            address: of the object.
            into: written to from where it stands; what was written before a failure stays.
            bytes_max: largest object that is taken.
            check: called between pieces; what it raises ends the request.

        Returns:
            The object; as many bytes as it says were written.

        Raises:
            S3Error: "TooLarge", before a byte of it is written where the service tells its size; "CutShort"; see `head`.
            OSError: `into` cannot be written.
        """
        with self._answer("GET", address) as answer:
            found = _described(answer, address)
            if found.size_bytes > bytes_max:
                raise _too_large(address, found.size_bytes, bytes_max)
            written_bytes = 0
            while piece := _read_piece(answer, address):
                check()
                written_bytes += len(piece)
                if written_bytes > bytes_max:
                    raise _too_large(address, written_bytes, bytes_max)
                into.write(piece)
        if found.size_bytes >= 0 and written_bytes != found.size_bytes:
            message = f"{address} ended after {written_bytes:,} of {found.size_bytes:,} bytes"
            raise S3Error(message, code="CutShort", retryable=True)
        return S3Object(written_bytes, found.media_type, found.etag)

    def put(
        self, address: S3Address, body: bytes | BinaryIO, *, media_type: str = "", check: Callable[[], None] = _never
    ) -> S3Object:
        """Write an object whole, in place of one that is there: readers see the old or the new one, never a part.

        Args:
            address: of the object.
            body: its bytes, or a file that can be sought: read from its beginning twice, once for the digest that is signed.
            media_type: kept with it; "": none.
            check: see `get`.

        Raises:
            S3Error: "TooLarge" above 5 GiB, and all else that goes wrong.
            OSError: `body` cannot be read.
        """
        file = io.BytesIO(body) if isinstance(body, bytes) else body
        digest, size_bytes = hashlib.sha256(), 0
        for piece in _pieces(file, check):
            digest.update(piece)
            size_bytes += len(piece)
        if size_bytes > PUT_BYTES_MAX:
            raise _too_large(address, size_bytes, PUT_BYTES_MAX)
        headers = {"content-type": media_type} if media_type else {}
        with self._answer("PUT", address, headers, (digest.hexdigest(), size_bytes, _pieces(file, check))) as answer:
            answer.read(ERROR_BYTES_MAX)
            return S3Object(size_bytes, media_type, answer.headers.get("etag", ""))

    @contextmanager
    def _answer(
        self,
        method: str,
        address: S3Address,
        headers: Mapping[str, str] | None = None,
        body: tuple[str, int, Iterator[bytes]] = (EMPTY_SHA256, 0, iter(())),
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its answer if it is a success. `body`: its digest, its size, its pieces."""
        body_sha256, size_bytes, pieces = body
        host, path = self._service.place(address)
        service = self._service
        sent = signed_headers(
            method,
            host,
            path,
            headers or {},
            body_sha256,
            service.credentials,
            region=service.region,
            now_us=self._clock.now_us(),
        )
        if method == "PUT":
            sent["content-length"] = str(size_bytes)
        connection = self._connection(host)
        try:
            answer = _exchange(connection, method, path, sent, pieces, address)
            if not 200 <= answer.status < 300:
                raise _refused(method, address, answer, self._service.region)
            yield answer
        finally:
            connection.close()

    def _connection(self, host: str) -> http.client.HTTPConnection:
        if self._service.encrypted:
            return http.client.HTTPSConnection(host, timeout=self._idle_seconds, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, timeout=self._idle_seconds)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    pieces: Iterator[bytes],
    address: S3Address,
) -> http.client.HTTPResponse:
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(address, connection, error) from error
    for piece in pieces:  # what reading them raises is the caller's
        try:
            connection.send(piece)
        except OSError:
            break  # a service that refuses closes early: its answer says why
    try:
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(address, connection, error) from error


def _described(answer: http.client.HTTPResponse, address: S3Address) -> S3Object:
    """What the headers say. The size is -1 where they do not tell it, as with a body in chunks."""
    length = answer.headers.get("content-length")
    if length is not None and not re.fullmatch("[0-9]{1,19}", length):
        raise S3Error(f"{address}: the service tells a size of {length[:40]!r}", status=answer.status, code="NoAnswer")
    size_bytes = -1 if length is None else int(length)
    return S3Object(size_bytes, answer.headers.get("content-type", ""), answer.headers.get("etag", ""))


def _read_piece(answer: http.client.HTTPResponse, address: S3Address) -> bytes:
    try:
        return answer.read(PIECE_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise S3Error(f"{address} broke off: {_told(error)}", code="CutShort", retryable=True) from error


def _pieces(file: BinaryIO, check: Callable[[], None]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        check()
        yield piece


def _refused(method: str, address: S3Address, answer: http.client.HTTPResponse, region: str) -> S3Error:
    try:
        body = answer.read(ERROR_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        body = ""
    code, text = _error_field(body, "Code"), _error_field(body, "Message")
    told = ": ".join(part for part in (code, text) if part)
    message = f"{method} {address} was answered with status {answer.status}" + (f", {told}" if told else "")
    there = answer.headers.get("x-amz-bucket-region", "")
    if there and there != region:
        message += f". The bucket is in the region {there!r}, not {region!r}: set s3_region"
    retryable = answer.status in _RETRYABLE_STATUSES or code in _RETRYABLE_CODES
    return S3Error(message, status=answer.status, code=code, retryable=retryable)


def _error_field(body: str, name: str) -> str:
    found = re.search(_ERROR_FIELD.format(name), body)
    return " ".join(unescape(found.group(1)).split()) if found else ""


def _no_answer(address: S3Address, connection: http.client.HTTPConnection, error: Exception) -> S3Error:
    message = f"{address}: no answer from {connection.host}:{connection.port}: {_told(error)}"
    # A certificate that does not hold will not hold at the next attempt either.
    return S3Error(message, code="NoAnswer", retryable=not isinstance(error, ssl.SSLCertVerificationError))


def _too_large(address: S3Address, size_bytes: int, bytes_max: int) -> S3Error:
    return S3Error(f"{address} has {size_bytes:,} bytes or more; at most {bytes_max:,} are taken", code="TooLarge")


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
