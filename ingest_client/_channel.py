"""One gRPC channel: how it is opened and secured, and how a unary call is made on it, repeats included."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from ingest_client._methods import Method, RequestT, ResponseT
from ingest_client._retry import RetryLimits, wait_seconds
from ingest_client.errors import ClientClosed, IngestClientError, error_from_rpc

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files for TLS lie.

    Attributes:
        ca: certificates of the authorities to trust; None means those of gRPC.
        certificate: this client's own chain, for mutual TLS. Needs `key`.
        key: the private key to it.
        server_name: name the server's certificate must have, where it is not that of the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("mutual TLS needs both a certificate and its key; only one of the two was given")


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How to reach a server.

    Attributes:
        address: `host:port`, or `unix:/path`.
        token: bearer token sent with every call; "" for none.
        tls: None for plaintext.
        allow_plaintext_token: send the token over plaintext to hosts other than this one, where anybody on the way can read it.
        timeout_seconds: deadline of a call over all its attempts, unless the call names its own.
        retry: bounds of the repeats of a unary call.
        message_bytes_max: largest message taken from the server. Pages and watch messages are far smaller; one inline output
            may come on top of a page.
        keepalive_seconds: silence after which a ping asks whether the other side still lives. Not less than a minute by default,
            so that servers that count pings do not mind.
        monotonic, sleep, random: time and chance, for tests.
    """

    address: str
    token: str = ""
    tls: TlsFiles | None = None
    allow_plaintext_token: bool = False
    timeout_seconds: float = 60.0
    retry: RetryLimits = field(default_factory=RetryLimits)
    message_bytes_max: int = 64 * MEBIBYTE
    keepalive_seconds: float = 60.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


def is_loopback(address: str) -> bool:
    """Tell whether what is sent to `address` never leaves this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].removeprefix("ipv4:").removeprefix("ipv6:").strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Channel:
    """Calls to one server. Made and used within one running event loop."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Open the channel; the connection itself is made with the first call.

        Raises:
            ValueError: the settings contradict each other, or would send a token in the clear to another machine.
            OSError: a PEM file cannot be read.
        """
        if settings.token and settings.tls is None and not settings.allow_plaintext_token and not is_loopback(settings.address):
            raise ValueError(f"a token would go to {settings.address} in plaintext; use TLS, or allow_plaintext_token=True")
        self.settings = settings
        self._metadata = (("authorization", f"Bearer {settings.token}"),) if settings.token else None
        self._channel: grpc.aio.Channel | None = _open(settings)
        self._callables: dict[str, Callable[..., Any]] = {}

    async def unary(
        self, method: Method[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None = None
    ) -> ResponseT:
        """Make a call, repeated as long as that is promising and within bounds.

        Args:
            method: which.
            request: sent unchanged with every attempt, so it carries its own `request_id` where repeats need one.
            timeout_seconds: over all attempts; None means the channel's default.

        Raises:
            IngestClientError: as rebuilt from the last attempt.
        """
        settings = self.settings
        deadline = settings.monotonic() + (settings.timeout_seconds if timeout_seconds is None else timeout_seconds)
        attempt = 0
        while True:
            attempt += 1
            remaining = max(deadline - settings.monotonic(), 0.001)
            try:
                response: ResponseT = await self._callable(method, "unary_unary")(
                    request, timeout=remaining, metadata=self._metadata
                )
                return response
            except grpc.aio.AioRpcError as rpc_error:
                error = error_from_rpc(rpc_error)
            except grpc.aio.UsageError as usage_error:
                raise self._closed_error() from usage_error
            wait = wait_seconds(settings.retry, attempt, error, settings.random)
            if wait is None or settings.monotonic() + wait >= deadline:
                raise error
            await settings.sleep(wait)

    def server_stream(
        self, method: Method[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None = None
    ) -> grpc.aio.UnaryStreamCall[RequestT, ResponseT]:
        """Begin one stream from the server. No repeats: only the reader knows where to go on.

        Args:
            method: which.
            request: what to stream.
            timeout_seconds: deadline of the whole stream; None for none.

        Returns:
            The call: iterate over it, `cancel` it when done. It raises `grpc.aio.AioRpcError`.
        """
        try:
            call: grpc.aio.UnaryStreamCall[RequestT, ResponseT] = self._callable(method, "unary_stream")(
                request, timeout=timeout_seconds, metadata=self._metadata
            )
        except grpc.aio.UsageError as usage_error:
            raise self._closed_error() from usage_error
        return call

    async def client_stream(
        self, method: Method[RequestT, ResponseT], requests: AsyncIterable[RequestT], timeout_seconds: float | None
    ) -> ResponseT:
        """Send one stream and await the answer. No repeats.

        Raises:
            IngestClientError: as rebuilt from the status.
        """
        try:
            response: ResponseT = await self._callable(method, "stream_unary")(
                requests, timeout=timeout_seconds, metadata=self._metadata
            )
            return response
        except grpc.aio.AioRpcError as rpc_error:
            raise error_from_rpc(rpc_error) from None
        except grpc.aio.UsageError as usage_error:
            raise self._closed_error() from usage_error

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled. May be called again."""
        channel, self._channel = self._channel, None
        # gRPC lets go of an event loop when its last channel and call are freed. A program that keeps its closed client must not
        # keep them: a second loop in the process would find the first one, closed, still being served.
        self._callables.clear()
        if channel is not None:
            await channel.close(None)

    async def connected(self) -> None:
        """Return when the connection stands; it is made if need be. Waits without bound."""
        if self._channel is None:
            raise self._closed_error()
        await self._channel.channel_ready()

    def _callable(self, method: Method[Any, Any], kind: str) -> Callable[..., Any]:
        """Multi-callables are kept: to make one costs as much as a call. Raises ClientClosed."""
        if self._channel is None:
            raise self._closed_error()
        made = self._callables.get(method.path)
        if made is None:
            made = getattr(self._channel, kind)(
                method.path, request_serializer=method.serializer, response_deserializer=method.deserializer
            )
            self._callables[method.path] = made
        return made

    def _closed_error(self) -> IngestClientError:
        return ClientClosed(f"the client of {self.settings.address} is closed; make a new one")


def _open(settings: ChannelSettings) -> grpc.aio.Channel:
    """Open the gRPC channel with the options that fit `settings`."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", settings.message_bytes_max),
        ("grpc.max_send_message_length", -1),  # what may be sent is the server's limit, which GetServerInfo tells
        ("grpc.keepalive_time_ms", int(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 20_000),
        # A server that restarts is ready within 2 s; gRPC's own default would look again after up to 120 s.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # Repeats are decided here, by reason; a service config found by DNS must not add its own.
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_retries", 0),
        # Channels with equal options share a connection through a global pool, and with it their backoff; ours are apart.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    tls = settings.tls
    if tls is None:
        return grpc.aio.insecure_channel(settings.address, options=options)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca.read_bytes() if tls.ca else None,
        private_key=tls.key.read_bytes() if tls.key else None,
        certificate_chain=tls.certificate.read_bytes() if tls.certificate else None,
    )
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return grpc.aio.secure_channel(settings.address, credentials, options=options)
