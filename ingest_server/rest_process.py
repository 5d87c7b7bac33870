"""The REST shim as a process beside the server: started, watched, started again when it dies, drained and ended with the server.

The listening socket belongs to the server and is inherited by the shim: a taken port is told before anything is served, and
while a shim that died is replaced, connections wait in the socket's queue and none is refused.

The shim ends when its standard input ends. So it also ends when the server is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ingest_server.domain.address import listen_socket, url_of
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Reason, Unavailable

log = logging.getLogger(__name__)

BACKLOG = 1_024
"""Connections that may wait while the shim is replaced; the kernel caps it at net.core.somaxconn."""
SHIM_MODULE = "ingest_server.rest.supervised"
READY_LINE = b"ready\n"
ALLOCATOR = {"MALLOC_ARENA_MAX": "2"}
"""glibc gives each thread of gRPC's core an arena of its own, which keeps what large messages left behind: 3 MiB less with two,
and nothing slower, since one thread does nearly all of the work (mallopt(3))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestProcessLimits:
    """Spans of time.

    Attributes:
        start_seconds: a shim that is not ready after this is taken for hung.
        backoff_initial_seconds, backoff_max_seconds: wait after the first death and longest wait; doubled between.
        stable_seconds: a shim that lived so long died of something new: the backoff begins again.
        end_seconds: beyond its drain a shim gets so long to go before it is killed.
    """

    start_seconds: float = 30.0
    backoff_initial_seconds: float = 0.2
    backoff_max_seconds: float = 30.0
    stable_seconds: float = 60.0
    end_seconds: float = 5.0

    def backoff_seconds(self, failures: int) -> float:
        """The wait after so many deaths in a row. The exponent is capped: 2**32 times any first wait is beyond any last one."""
        doubled = self.backoff_initial_seconds * 2.0 ** min(failures - 1, 32)
        return min(doubled, self.backoff_max_seconds)


class RestProcess:
    """Keeps one shim running.

    Args:
        listen: HOST:PORT.
        variables: the shim's settings as environment variables.
        tls: whether the shim serves HTTPS; for the address that is told.
        drain_seconds: how long the shim itself waits for requests under way; it knows that from `variables`.
        clock: for the waits.
        limits: spans of time.
    """

    def __init__(
        self,
        listen: str,
        variables: Mapping[str, str],
        *,
        tls: bool,
        drain_seconds: float,
        clock: Clock,
        limits: RestProcessLimits | None = None,
    ) -> None:
        self._listen = listen
        self._variables = dict(variables)
        self._tls = tls
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._limits = limits or RestProcessLimits()
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the shim is reached; "" before `start` and after the end."""
        return "" if self._socket is None else url_of(self._socket, tls=self._tls)

    def start(self) -> None:
        """Listen, and start the first shim. Raises OSError if the address cannot be listened on."""
        self._socket = listen_socket("rest_listen", self._listen, BACKLOG)
        self._keeper = asyncio.create_task(self._keep(self._socket), name="rest shim")

    async def until_ready(self) -> None:
        """Return when the first shim serves. Raises Unavailable if it ended or hung instead."""
        await asyncio.shield(self._first)

    def begin_drain(self) -> None:
        """Take no new connections and ask the shim to end when its requests have. Harmless if repeated, or before `start`."""
        self._ending.set()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def stop(self, *, at_once: bool = False) -> None:
        """Drain, wait for the end, and kill what does not end in time. Nothing is left afterwards; may be repeated.

        Args:
            at_once: do not wait for requests under way.
        """
        self.begin_drain()
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        seconds = 0.0 if at_once else self._drain_seconds + self._limits.end_seconds
        timer = asyncio.create_task(self._clock.sleep(seconds))
        await asyncio.wait((keeper, timer), return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if not keeper.done() and not at_once:
            log.warning("the REST shim did not end %g s after it was asked to; it is killed", seconds)
        self._kill()
        await asyncio.gather(keeper, timer, return_exceptions=True)
        if not self._first.done():
            self._first.cancel()

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _keep(self, listening: socket.socket) -> None:
        """Start the shim, wait for its end, and again until the end is wanted."""
        limits = self._limits
        failures = 0
        while not self._ending.is_set():
            began = self._clock.monotonic()
            ready, status = await self._run_once(listening)
            if self._ending.is_set():
                return
            if not self._first.done():
                what = f"ended with status {status}" if ready is None else f"was not ready after {limits.start_seconds:g} s"
                self._first.set_exception(Unavailable(f"the REST shim {what}; its log tells why", reason=Reason.SHUTTING_DOWN))
                return
            failures = 1 if self._clock.monotonic() - began >= limits.stable_seconds else failures + 1
            wait = limits.backoff_seconds(failures)
            log.error("the REST shim has ended with status %s; it is started again in %.1f s", status, wait)
            await self._sleep(wait)

    async def _run_once(self, listening: socket.socket) -> tuple[bool | None, int]:
        """One life of a shim. Answers whether it got ready (None: it ended before) and its exit status."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            SHIM_MODULE,
            str(listening.fileno()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[listening.fileno()],
            env={**ALLOCATOR, **_environment_without_settings(), **self._variables},
        )
        assert process.stdout is not None
        if self._ending.is_set() and process.stdin is not None:
            process.stdin.close()
        ready: bool | None = False
        try:
            reading = asyncio.create_task(process.stdout.readline())
            timer = asyncio.create_task(self._clock.sleep(self._limits.start_seconds))
            await asyncio.wait((reading, timer), return_when=asyncio.FIRST_COMPLETED)
            timer.cancel()
            if reading.done():
                ready = True if reading.result() == READY_LINE else None
                if ready and not self._first.done():
                    self._first.set_result(None)
            else:
                reading.cancel()
                self._kill()
            await asyncio.gather(reading, timer, return_exceptions=True)
            return ready, await process.wait()
        finally:
            self._process = None

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the moment when the end is wanted."""
        sleeping = asyncio.create_task(self._clock.sleep(seconds))
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait((sleeping, ending), return_when=asyncio.FIRST_COMPLETED)
        for task in (sleeping, ending):
            task.cancel()
        await asyncio.gather(sleeping, ending, return_exceptions=True)


def _environment_without_settings() -> dict[str, str]:
    """What the shim inherits: no settings of the server, of which some are secrets that it has no need to know."""
    return {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
