"""Headers: what of an HTTP request goes upstream as gRPC metadata, and what of the answer's metadata comes back as headers."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from ingest_server.rest.errors import RestError, invalid, rest_error
from ingest_server.rest.options import RestOptions

PREFIX = "grpc-metadata-"
GATEWAY_PREFIX = "grpcgateway-"
PASSED = frozenset({"authorization", "traceparent", "tracestate"})
"""Headers that go upstream under their own names."""
TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
"""TimeoutValue TimeoutUnit of the gRPC protocol over HTTP/2."""
TIMEOUT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
KEY = re.compile(r"[0-9a-z_.\-]+")
TEXT = re.compile(r"[\x20-\x7e]*")
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """What a request says beside its message.

    Attributes:
        pairs: gRPC metadata for the upstream call.
        timeout_seconds: of Grpc-Timeout; None if none was given.
        request_id: of X-Request-Id, or a fresh one; it goes upstream and back.
    """

    pairs: list[tuple[str, str | bytes]]
    timeout_seconds: float | None
    request_id: str


def read_metadata(scope: Mapping[str, Any], options: RestOptions) -> CallMetadata:
    """Read the headers of a request.

    Raises:
        RestError: INVALID_ARGUMENT for a Grpc-Timeout or a binary header that cannot be read.
    """
    pairs: list[tuple[str, str | bytes]] = []
    timeout_seconds: float | None = None
    request_id = host = forwarded_host = ""
    forwarded: list[str] = []
    size = 0
    for raw_name, raw_value in scope["headers"]:
        size += len(raw_name) + len(raw_value)
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "grpc-timeout":
            timeout_seconds = _timeout(value)
        elif name == "x-forwarded-for":
            forwarded.append(value)
        elif name == "x-forwarded-host":
            forwarded_host = forwarded_host or value
        elif name == "x-request-id":
            request_id = value if REQUEST_ID.fullmatch(value) else ""
        elif name.startswith(PREFIX):
            _add(pairs, name[len(PREFIX) :], value)
        else:
            if name in PASSED:
                _add(pairs, name, value)
            if name in options.forwarded_headers:
                _add(pairs, GATEWAY_PREFIX + name, value)
            if name == "host":
                host = value
    if size > options.header_bytes_max:
        raise rest_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"the headers have {size:,} bytes, the limit is {options.header_bytes_max:,}",
            "TOO_LARGE",
            http_status=431,
        )
    request_id = request_id or str(uuid.uuid4())
    pairs.append(("x-request-id", request_id))
    if forwarded_host or host:
        _add(pairs, "x-forwarded-host", forwarded_host or host)
    client = scope.get("client")
    hops = forwarded if options.trust_forwarded_for else []
    if client and client[0]:
        hops = [*hops, client[0]]
    if hops:
        _add(pairs, "x-forwarded-for", ", ".join(hops))
    return CallMetadata(pairs, timeout_seconds, request_id)


def response_headers(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[tuple[bytes, bytes]]:
    """Initial metadata of an answer as Grpc-Metadata-* headers; binary values in base64."""
    return _headers(b"grpc-metadata-", metadata)


def trailer_headers(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[tuple[bytes, bytes]]:
    """Trailing metadata of an answer as Grpc-Trailer-* fields; for clients that sent "TE: trailers"."""
    return _headers(b"grpc-trailer-", metadata)


def _headers(prefix: bytes, metadata: Iterable[tuple[str, str | bytes]] | None) -> list[tuple[bytes, bytes]]:
    headers = []
    for key, value in metadata or ():
        text = base64.b64encode(value) if isinstance(value, bytes) else value.encode("latin-1", "replace")
        headers.append((prefix + key.encode("latin-1"), text))
    return headers


def _timeout(value: str) -> float:
    found = TIMEOUT.fullmatch(value)
    if not found:
        raise _header_fault("Grpc-Timeout", value, "must be 1 to 8 digits and one of H, M, S, m, u, n, such as 500m")
    return int(found[1]) * TIMEOUT_SECONDS[found[2]]


def _add(pairs: list[tuple[str, str | bytes]], key: str, value: str) -> None:
    """Keys and texts that gRPC cannot carry are left out, as grpc-gateway does."""
    if key.startswith("grpc-") or not KEY.fullmatch(key):
        return
    if key.endswith("-bin"):
        try:
            # Padding is optional in gRPC's binary headers.
            pairs.append((key, base64.b64decode(value + "=" * (-len(value) % 4), validate=True)))
        except (binascii.Error, ValueError):
            raise _header_fault(f"Grpc-Metadata-{key}", value, "ends in -bin, so it must be base64") from None
    elif TEXT.fullmatch(value):
        pairs.append((key, value))


def _header_fault(name: str, value: str, rule: str) -> RestError:
    return invalid(f"header {name}: {value[:80]!r} {rule}", field=name)
