"""Cross-origin requests: which pages of which origins a browser lets read our answers (the Fetch standard's CORS protocol).

Credentials of the browser (cookies) are never allowed: callers prove who they are by an Authorization header of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest_server.rest.options import RestOptions

HEADERS_MAX = 1_024
"""Longest list of headers that a preflight is answered with; a browser asks for a few dozen bytes."""
EXPOSED = b"Retry-After, X-Request-Id, ETag, Content-Range, Accept-Ranges, Location, WWW-Authenticate"
"""What scripts may read besides the few headers they always may, and Grpc-Metadata-*, which are named as they come."""

Headers = list[tuple[bytes, bytes]]


class Cors:
    """Answers for one set of allowed origins.

    Args:
        options: which origins; empty: no header is ever sent, so browsers keep other pages out.
    """

    def __init__(self, options: RestOptions) -> None:
        self._any = "*" in options.cors_origins
        self._origins = frozenset(origin.encode("latin-1") for origin in options.cors_origins)
        self._max_age = str(options.cors_max_age_seconds).encode()

    def headers(self, request_headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Headers for an answer of any status. It depends on the origin, which caches are told, unless all are allowed."""
        origin = _value(request_headers, b"origin")
        if self._any:
            allowed = [] if not origin else [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED)]
        else:
            allowed = [(b"vary", b"origin")]
            if origin in self._origins:
                allowed += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED)]
        return allowed

    def preflight(self, request_headers: Iterable[tuple[bytes, bytes]], verbs: Iterable[str]) -> Headers:
        """Headers for the answer to a preflight.

        Args:
            request_headers: of the OPTIONS request.
            verbs: that the path has routes for.
        """
        request_headers = list(request_headers)
        wanted = _value(request_headers, b"access-control-request-headers")[:HEADERS_MAX]
        answer = [
            (b"access-control-allow-methods", ", ".join(verbs).encode("latin-1")),
            (b"access-control-max-age", self._max_age),
            (b"vary", b"access-control-request-method, access-control-request-headers"),
        ]
        # Any header may be asked for: metadata is the callers' own (Grpc-Metadata-*), and the origin is what decides.
        return [*answer, (b"access-control-allow-headers", wanted)] if wanted else answer


def is_preflight(verb: str, request_headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request asks only what would be allowed."""
    return verb == "OPTIONS" and bool(_value(request_headers, b"access-control-request-method"))


def _value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")
