"""The server's side of the zygote: starts it, sends orders, hears reports, notices its end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ingest_server.domain.errors import InvalidRequest
from ingest_server.engines.local import allocator, orders

REPORTS_PER_TURN = 64
"""Messages read before the event loop gets its turn again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ZygoteListener:
    """Who is told, in the event loop.

    Attributes:
        on_forked, on_exited: what became of a worker.
        on_gone: the zygote has ended, unasked. Its workers are ending too.
    """

    on_forked: Callable[[orders.Forked], None]
    on_exited: Callable[[orders.Exited], None]
    on_gone: Callable[[], None]


class ZygoteLink:
    """One zygote process, from start to end. A new one is made to start again.

    Args:
        configuration: what it loads.
        listener: who is told.
        exit_timeout_seconds: how long it may take to end when told to, before it is killed.
    """

    def __init__(self, configuration: orders.Configure, listener: ZygoteListener, exit_timeout_seconds: float) -> None:
        self._configuration = configuration
        self._listener = listener
        self._exit_timeout_seconds = exit_timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self._loaded: list[orders.Loaded] = []
        self._started: asyncio.Future[list[orders.Loaded]] | None = None
        self._closing = False

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    async def start(self, timeout_seconds: float) -> list[orders.Loaded]:
        """Start the process and wait until it has loaded the handlers, which are the answer. Raises InvalidRequest if they cannot
        be loaded, or not in time."""
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            # No shell, no preexec_fn: the child is executed at once, which is safe beside threads and gRPC.
            self._process = subprocess.Popen(  # noqa: ASYNC220  # takes about a millisecond, once
                [sys.executable, "-m", "ingest_server.engines.local.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    **allocator.chosen(os.environ),
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
                start_new_session=True,  # a Ctrl-C at the terminal is for the server alone
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._link = ours
        loop.add_reader(ours.fileno(), self._on_readable)
        self._send(self._configuration, [])
        try:
            return await asyncio.wait_for(self._started, timeout_seconds)
        except TimeoutError:
            await self.close()
            raise InvalidRequest(
                f"the handlers were not loaded within {timeout_seconds:g} s (start_timeout_seconds): "
                "look into the log for what their modules or preloads wait for"
            ) from None
        except BaseException:
            await self.close()
            raise

    def fork(self, order: orders.Fork, fds: list[int]) -> None:
        """Have a worker forked. The descriptors are closed here once they are on their way."""
        self._send(order, fds)

    def kill(self, serial: int) -> None:
        """Have a worker killed."""
        self._send(orders.Kill(serial), [])

    async def close(self) -> None:
        """Hang up; the zygote kills all workers and ends. Returns when it has; it is killed if it takes too long."""
        self._closing = True
        process = self._process
        self._hang_up()
        if process is None:
            return
        self._process = None
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            process.wait()
            return
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        loop.add_reader(pidfd, _set, ended)
        try:
            await asyncio.wait_for(asyncio.shield(ended), self._exit_timeout_seconds)
        except TimeoutError:
            log.warning("the zygote did not end in time and is killed", extra={"pid": process.pid})
            process.kill()
            await ended
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
            process.wait()

    def _send(self, message: orders.ToZygote, fds: list[int]) -> None:
        if self._link is None:
            for fd in fds:
                os.close(fd)
            return
        self._outbox.append((orders.encode(message), fds))
        if len(self._outbox) == 1:
            self._drain()

    def _drain(self) -> None:
        link = self._link
        if link is None:
            return
        loop = asyncio.get_running_loop()
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                socket.send_fds(link, [data], fds)
            except BlockingIOError:
                loop.add_writer(link.fileno(), self._drain)
                return
            except OSError:
                self._on_end()
                return
            self._outbox.popleft()
            for fd in fds:
                os.close(fd)
        loop.remove_writer(link.fileno())

    def _on_readable(self) -> None:
        for _ in range(REPORTS_PER_TURN):
            if self._link is None:
                return
            try:
                message = orders.receive_in_server(self._link)
            except BlockingIOError:
                return
            except OSError:
                message = None  # it was killed with orders unread
            except msgspec.DecodeError as error:
                log.error("the zygote cannot be understood", extra={"cause": str(error)})
                message = None
            if message is None:
                self._on_end()
                return
            self._on_message(message)

    def _on_message(self, message: orders.FromZygote) -> None:
        started = self._started
        if isinstance(message, orders.Forked):
            self._listener.on_forked(message)
        elif isinstance(message, orders.Exited):
            self._listener.on_exited(message)
        elif isinstance(message, orders.Loaded):
            self._loaded.append(message)
        elif started is not None and not started.done():
            if isinstance(message, orders.Failed):
                self._closing = True  # it ends now: that is no news
                started.set_exception(InvalidRequest(message.message))
            else:
                started.set_result(self._loaded)

    def _on_end(self) -> None:
        """It hung up: it has ended, or is about to."""
        self._hang_up()
        if self._started is not None and not self._started.done():
            self._closing = True
            self._started.set_exception(
                InvalidRequest("the process that loads the handlers ended while it did: look into the log for its last words")
            )
        elif not self._closing:
            self._listener.on_gone()

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(link.fileno())
            loop.remove_writer(link.fileno())
            link.close()
        while self._outbox:
            for fd in self._outbox.popleft()[1]:
                os.close(fd)


def _set(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
