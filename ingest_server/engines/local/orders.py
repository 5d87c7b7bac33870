"""The language between server and zygote: one message each way is one packet; file descriptors travel beside it."""

from __future__ import annotations

import socket
from typing import TypeAlias

import msgspec

from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.sources.limits import SourceLimits

PACKET_BYTES_MAX = 128 * 1_024
"""Below the 208 KiB that Linux lets wait in a socket by default."""
TEXT_MAX = 16_000
"""Characters of an error or a description that travel."""


class Configure(msgspec.Struct, tag=True, frozen=True):
    """Server: what to load and how workers run. The first message.

    `python_path` is the server's own PYTHONPATH: the zygote is started with another, which what handlers start must not see.
    """

    server_pid: int
    python_path: str | None
    modules: tuple[str, ...]
    builtin_modules: tuple[str, ...]
    preload_modules: tuple[str, ...]
    use_entry_points: bool
    blob_directory: str
    inline_bytes_max: int
    result_bytes_max: int
    failure_bytes_max: int
    request_bytes_max: int
    reply_bytes: int
    async_concurrency: int
    attempt_memory_bytes_max: int
    attempt_cpu_seconds_max: int
    progress_interval_seconds: float
    sources: SourceLimits
    log_level: str
    operator: OperatorSettings


class Fork(msgspec.Struct, tag=True, frozen=True):
    """Server: fork a worker. With it travel its ends of `work` and `control`, and its page."""

    serial: int
    name: str
    scratch_directory: str


class Kill(msgspec.Struct, tag=True, frozen=True):
    """Server: kill a worker with SIGKILL. The zygote does it, because only who reaps a pid knows that it is not used anew."""

    serial: int


class Loaded(msgspec.Struct, tag=True, frozen=True):
    """Zygote: a handler that was loaded."""

    name: str
    description: str
    options_schema: str
    media_types: tuple[str, ...]
    is_async: bool
    internal: bool


class Started(msgspec.Struct, tag=True, frozen=True):
    """Zygote: all handlers are loaded; workers can be forked."""

    handlers: int


class Failed(msgspec.Struct, tag=True, frozen=True):
    """Zygote: the handlers cannot be loaded; it ends."""

    message: str


class Forked(msgspec.Struct, tag=True, frozen=True):
    """Zygote: a worker is there. pid 0: it could not be forked, `error` says why."""

    serial: int
    pid: int
    error: str = ""


class Exited(msgspec.Struct, tag=True, frozen=True):
    """Zygote: a worker has ended, with this wait status."""

    serial: int
    status: int


ToZygote: TypeAlias = Configure | Fork | Kill
FromZygote: TypeAlias = Loaded | Started | Failed | Forked | Exited

_encoder = msgspec.msgpack.Encoder()
_to_zygote = msgspec.msgpack.Decoder(ToZygote)
_from_zygote = msgspec.msgpack.Decoder(FromZygote)


def encode(message: ToZygote | FromZygote) -> bytes:
    """The packet of a message. Raises ValueError if it is too large."""
    data = _encoder.encode(message)
    if len(data) > PACKET_BYTES_MAX:
        raise ValueError(f"{type(message).__name__} takes {len(data)} bytes; at most {PACKET_BYTES_MAX} are allowed")
    return data


def receive_in_zygote(link: socket.socket) -> tuple[ToZygote, list[int]] | None:
    """The next message from the server and the descriptors beside it; None when the server has hung up."""
    data, fds, _, _ = socket.recv_fds(link, PACKET_BYTES_MAX, 3)
    return (_to_zygote.decode(data), fds) if data else None


def receive_in_server(link: socket.socket) -> FromZygote | None:
    """The next message from the zygote; None when it has hung up. Raises BlockingIOError, msgspec.DecodeError."""
    data = link.recv(PACKET_BYTES_MAX)
    return _from_zygote.decode(data) if data else None
