"""The channel to the gRPC server: opened once, raw bytes either way, one multi-callable per RPC."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

NEAR_WINDOW_BYTES = 512 * 1024
"""What one stream may send ahead over a Unix socket: half a piece of a blob, microseconds of its bandwidth."""

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """How to reach a server over TLS.

    Attributes:
        ca: PEM file of the authorities that sign the server's certificate; None: those of the system.
        certificate, key: PEM files that prove the shim to the server (mTLS); both or none.
        server_name: name in the server's certificate, where it is not the one in the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """Limits of the channel. Sizes in bytes, times in seconds.

    Attributes:
        message_bytes_max: largest answer taken; at least the server's own message_bytes_max, or its largest answers fail here.
        keepalive_seconds: a silent connection is asked after this whether it lives; not below what the server allows.
        reconnect_seconds_max: longest wait before a lost server is looked for again.
    """

    message_bytes_max: int = 64 * 1024 * 1024
    keepalive_seconds: float = 60.0
    reconnect_seconds_max: float = 2.0


class Upstream:
    """A connection to one server. Made within a running event loop; `close` when done.

    Requests and answers are serialized messages: whoever has bytes already passes them through.

    Args:
        address: HOST:PORT or unix:PATH.
        tls: None for plain text.
        options: limits.
    """

    def __init__(self, address: str, tls: UpstreamTls | None = None, options: UpstreamOptions | None = None) -> None:
        self.address = address
        self._channel = _open(address, tls, options or UpstreamOptions())
        self._callables: dict[str, Callable[..., Any]] = {}

    def unary(
        self, full_method: str, request: bytes, metadata: Metadata, timeout_seconds: float | None
    ) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        """Begin a unary call: await it for the answer, `cancel()` it when nobody waits any more.

        Raises (when awaited):
            grpc.aio.AioRpcError: how the server, or the way to it, failed.
        """
        call: grpc.aio.UnaryUnaryCall[bytes, bytes] = self._callable("unary_unary", full_method)(
            request, metadata=metadata, timeout=timeout_seconds
        )
        return call

    def server_stream(
        self, full_method: str, request: bytes, metadata: Metadata, timeout_seconds: float | None
    ) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        """Begin a stream from the server: iterate over it, `cancel()` it when nobody reads any more."""
        call: grpc.aio.UnaryStreamCall[bytes, bytes] = self._callable("unary_stream", full_method)(
            request, metadata=metadata, timeout=timeout_seconds
        )
        return call

    def client_stream(
        self, full_method: str, requests: AsyncIterable[bytes] | None, metadata: Metadata, timeout_seconds: float | None
    ) -> grpc.aio.StreamUnaryCall[bytes, bytes]:
        """Begin a stream to the server; with requests None, `write` and `done_writing` send it."""
        call: grpc.aio.StreamUnaryCall[bytes, bytes] = self._callable("stream_unary", full_method)(
            requests, metadata=metadata, timeout=timeout_seconds
        )
        return call

    def both_streams(
        self, full_method: str, requests: AsyncIterable[bytes] | None, metadata: Metadata, timeout_seconds: float | None
    ) -> grpc.aio.StreamStreamCall[bytes, bytes]:
        """Begin a stream either way."""
        call: grpc.aio.StreamStreamCall[bytes, bytes] = self._callable("stream_stream", full_method)(
            requests, metadata=metadata, timeout=timeout_seconds
        )
        return call

    async def ready(self) -> None:
        """Return when the connection stands. Waits without bound: give it a timeout."""
        await self._channel.channel_ready()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._callables.clear()
        await self._channel.close(None)

    def _callable(self, kind: str, full_method: str) -> Callable[..., Any]:
        """Kept: to make one costs as much as a call."""
        made = self._callables.get(full_method)
        if made is None:
            made = self._callables[full_method] = getattr(self._channel, kind)(
                full_method, request_serializer=None, response_deserializer=None
            )
        return made


def _open(address: str, tls: UpstreamTls | None, options: UpstreamOptions) -> grpc.aio.Channel:
    arguments: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", options.message_bytes_max),
        ("grpc.max_send_message_length", -1),  # what may be sent is the server's limit
        ("grpc.keepalive_time_ms", int(options.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", int(options.reconnect_seconds_max * 1000)),
        # Repeats are the caller's decision; a service config found by DNS must not add its own.
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
        # A proxy of the environment is for the internet, not for the server beside us.
        ("grpc.enable_http_proxy", 0),
    ]
    if address.startswith("unix:"):
        # Beside the server nothing is gained by windows that grow with the bandwidth, and a large blob would fill them.
        arguments += [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", NEAR_WINDOW_BYTES)]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=arguments)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca.read_bytes() if tls.ca else None,
        private_key=tls.key.read_bytes() if tls.key else None,
        certificate_chain=tls.certificate.read_bytes() if tls.certificate else None,
    )
    if tls.server_name:
        arguments.append(("grpc.ssl_target_name_override", tls.server_name))
    return grpc.aio.secure_channel(address, credentials, options=arguments)
