"""The store process: `python -m ingest_server.store.sqlite.process FD`, started by the server, at the other end of a socketpair.

It takes all commands that wait, has the writer commit them as one, and sends all answers together with what changed. It ends when
the server closes the socket or dies. Signals meant for the server's whole process group (Ctrl-C) do not end it: the server does,
when its last write is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import select
import signal
import socket
import sys
from typing import Any

from ingest_server.domain.errors import IngestError
from ingest_server.store.sqlite import faults, frames
from ingest_server.store.sqlite.writer import Command, Writer, WriterSettings

_READ_BYTES = 1 << 18
"""Above the default buffer of a Unix socket (208 KiB), so that one call empties it."""
_COMMIT_BYTES_MAX = 32 << 20
"""Stop reading and commit at this size, so that no transaction grows beyond the page cache."""
_IDLE_MS = 20
"""No command for so long is an idle moment. A guess between the gap of a busy server (< 1 ms) and that of a person."""
_PR_SET_PDEATHSIG = 1


class Inbox:
    """Commands that come in."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = frames.FrameBuffer()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def wait(self, timeout_ms: int | None) -> bool:
        """Whether there is something to read (or an end) before the time is over. None: wait for good."""
        return bool(self._poll.poll(timeout_ms))

    def read(self) -> list[Command] | None:
        """All commands that wait; waits for the first. None: the server is gone."""
        commands: list[Command] = []
        size = 0
        while not commands or (size < _COMMIT_BYTES_MAX and self.wait(0)):
            data = self._socket.recv(_READ_BYTES)
            if not data:
                return None
            size += len(data)
            self._buffer.feed(data)
            commands.extend(self._buffer.take())
        return commands


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Rows are tuples of plain values, which the collector does not have to visit; what little it could find can wait.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _send(connection: socket.socket, told: Any, answers: list[Any]) -> None:
    connection.sendall(frames.pack((told, answers)))


def serve(connection: socket.socket) -> None:
    """Answer commands until the server closes the store or is gone. The first command is `open` with settings and time."""
    inbox = Inbox(connection)
    first = inbox.read()
    if first is None:
        return
    call, _, (settings, now_us) = first[0]
    writer = Writer(WriterSettings(*settings))
    try:
        opened = writer.open(now_us)
    except IngestError as error:
        _send(connection, None, [(call, False, faults.encode(error))])
        return
    _send(connection, opened, [(call, True, None)])
    while True:
        idle = writer.wal_pages >= writer.settings.wal_pages_idle
        if idle and not inbox.wait(_IDLE_MS):
            writer.checkpoint()
            continue
        commands = inbox.read()
        if commands is None:
            return
        closing = [command for command in commands if command[1] == "close"]
        told, answers = writer.execute([command for command in commands if command[1] != "close"])
        if closing:
            writer.close()
            _send(connection, told, answers + [(command[0], True, None) for command in closing])
            return
        _send(connection, told, answers)
        if writer.wal_pages >= writer.settings.wal_pages_max:
            writer.checkpoint()


def main() -> None:
    """Serve the socket whose descriptor is the only argument."""
    _prepare()
    connection = socket.socket(fileno=int(sys.argv[1]))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server is gone: nobody is left to answer
        serve(connection)


if __name__ == "__main__":
    main()
