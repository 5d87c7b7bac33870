"""The settings of the REST shim that two programs share: `ingest-server`, which starts one, and `ingest-rest`, which is one.

The first names them `rest_…` beside its own; the second drops the prefix. The environment's variables are the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest_server.configuration.declaration import DAY_SECONDS, GIB, HOUR_SECONDS, KIB, MIB, Fault, setting
from ingest_server.domain.address import parse_listen


@dataclass(frozen=True, slots=True, kw_only=True)
class RestFields:
    """What both programs may be told."""

    rest_listen: str = setting("", "Where to serve REST over HTTP: HOST:PORT (port 0 picks one). Empty: nowhere.")
    rest_tls_cert: str = setting("", "PEM file with the certificate chain for HTTPS; by default that of the gRPC port.")
    rest_tls_key: str = setting("", "PEM file with the private key of the certificate for HTTPS.")
    rest_cors_origins: tuple[str, ...] = setting(
        (), "Origins, such as https://app.example, whose pages may call from a browser; * allows all."
    )
    rest_body_bytes_max: int = setting(
        16 * MIB,
        "Largest JSON body and WebSocket message; uploads of blobs are streamed and not held by it.",
        least=KIB,
        most=GIB,
    )
    rest_body_seconds_max: float = setting(
        60.0, "A JSON body must be whole after this; uploads of blobs need only go on.", least=0.1, most=HOUR_SECONDS
    )
    rest_call_seconds_max: float = setting(
        3_720.0,
        "Longest wait for an answer where the caller sets no Grpc-Timeout: an hour's wait for a job, and two minutes.",
        least=1,
        most=DAY_SECONDS,
    )
    rest_gzip_bytes_min: int = setting(
        1_400, "Shorter answers are not compressed: within one packet nothing is won.", least=0, most=GIB
    )
    rest_trust_forwarded_for: bool = setting(
        True, "Pass the caller's X-Forwarded-For on, its address appended. Off: the address alone, where no proxy is in front."
    )
    rest_head_bytes_max: int = setting(
        64 * KIB, "Largest request line with headers: room for a hundred job ids in a query.", least=4 * KIB, most=16 * MIB
    )
    rest_head_seconds_max: float = setting(
        10.0, "A request's line and headers must be there so long after its first byte.", least=0.1, most=HOUR_SECONDS
    )
    rest_body_idle_seconds: float = setting(
        30.0, "A body of which nothing comes for so long is given up, and its connection closed.", least=0.1, most=HOUR_SECONDS
    )
    rest_body_bytes_per_second_min: int = setting(
        1_024, "A body that comes slower than this, on average after its first seconds, is given up. 0: never.", least=0, most=GIB
    )
    rest_keepalive_seconds: float = setting(
        60.0, "A connection without a request is closed after this.", least=0.1, most=HOUR_SECONDS
    )
    rest_send_stall_seconds: float = setting(
        60.0, "A client that takes nothing of what waits for it for so long is cut off.", least=0.1, most=HOUR_SECONDS
    )
    rest_connections_max: int = setting(
        4_096, "HTTP connections at once; further ones are answered 503 and closed.", least=1, most=1_000_000
    )
    rest_streams_max: int = setting(
        2_000, "Streams (NDJSON, SSE, WebSocket) at once; further ones are answered 429.", least=1, most=1_000_000
    )
    rest_heartbeat_seconds: float = setting(
        15.0,
        "A stream of server-sent events says so often that it lives: proxies close what is silent.",
        least=0.1,
        most=HOUR_SECONDS,
    )
    rest_retry_seconds: float = setting(
        2.0, "A browser whose stream of server-sent events broke is asked to wait so long.", least=0, most=HOUR_SECONDS
    )
    rest_spool_dir: str = setting(
        "", "Folder for the temporary files of uploads without a digest; by default the system's, or one in data_dir."
    )
    rest_spool_bytes_max: int = setting(
        GIB, "Largest upload without a digest: it is kept in a temporary file until its digest is known.", least=0, most=1 << 50
    )
    rest_spools_max: int = setting(8, "Uploads without a digest at once.", least=1, most=10_000)


def rest_faults(values: Mapping[str, Any]) -> list[Fault]:
    """Rules over the shared settings that are broken. `values`: every setting by field name."""
    faults = []
    if bool(values["rest_tls_cert"]) != bool(values["rest_tls_key"]):
        missing, present = ("rest_tls_key", "rest_tls_cert") if values["rest_tls_cert"] else ("rest_tls_cert", "rest_tls_key")
        faults.append(Fault("settings", missing, "", f"must be set together with {present}"))
    for origin in values["rest_cors_origins"]:
        if origin != "*" and not (origin.startswith(("http://", "https://")) and origin.count("/") == 2):
            faults.append(Fault("settings", "rest_cors_origins", origin, "must be an origin such as https://app.example, or *"))
    if values["rest_listen"]:
        try:
            address = parse_listen(values["rest_listen"])
        except ValueError as error:
            return [*faults, Fault("settings", "rest_listen", values["rest_listen"], str(error))]
        if address.path:
            faults.append(
                Fault("settings", "rest_listen", values["rest_listen"], "must be HOST:PORT: browsers know no Unix sockets")
            )
    return faults
