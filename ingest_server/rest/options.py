"""What the shim may use at most, and what it may tell whom: one frozen object, given to every part."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """Limits and choices of the shim. Sizes in bytes, times in seconds.

    Attributes:
        body_bytes_max: largest JSON or form body of a request, after decompression. Blobs are streamed and not held to it.
        url_bytes_max: longest path and query; 16 KiB holds 400 job ids, more go by POST.
        header_bytes_max: all header lines of a request together.
        query_parameters_max: key=value pairs in a query or form; the 1,000 ids of a fetch and some room.
        json_depth_max: deepest nesting of a JSON body; as deep as protobuf itself reads (100).
        body_seconds_max: a request body must be whole after so long, so that a sender of single bytes holds nothing for long.
        call_seconds_max: longest wait for a unary answer where the caller sets no Grpc-Timeout: the longest wait of RunJob and
            FetchResults (1 h) and two minutes.
        disconnect_watch_seconds: a unary call that takes longer than this is watched for its client going away; shorter ones end
            before the watch would have paid for itself.
        gzip_bytes_min: smaller answers are sent as they are: below about one packet nothing is won.
        gzip_level: 1 … 9; 1 costs a fifth of 9's time and gives most of the saving on JSON.
        cors_origins: origins that browsers may call from; "*" stands for all. Empty: no CORS header is sent.
        cors_max_age_seconds: how long a browser may remember a preflight answer.
        forwarded_headers: permanent HTTP headers that go upstream as grpcgateway-NAME, lower case.
        trust_forwarded_for: keep the X-Forwarded-For of the caller and append its address; off, only the address is told.
    """

    body_bytes_max: int = 16 * MIB
    url_bytes_max: int = 16 * KIB
    header_bytes_max: int = 32 * KIB
    query_parameters_max: int = 1_100
    json_depth_max: int = 100
    body_seconds_max: float = 60.0
    call_seconds_max: float = 3_720.0
    disconnect_watch_seconds: float = 0.02
    gzip_bytes_min: int = 1_400
    gzip_level: int = 1
    cors_origins: tuple[str, ...] = ()
    cors_max_age_seconds: int = 600
    forwarded_headers: frozenset[str] = frozenset(
        {
            "accept",
            "accept-charset",
            "accept-language",
            "accept-ranges",
            "authorization",
            "cache-control",
            "content-type",
            "cookie",
            "date",
            "expect",
            "from",
            "host",
            "if-match",
            "if-modified-since",
            "if-none-match",
            "if-schedule-tag-match",
            "if-unmodified-since",
            "max-forwards",
            "origin",
            "pragma",
            "referer",
            "user-agent",
            "via",
            "warning",
        }
    )
    trust_forwarded_for: bool = True
