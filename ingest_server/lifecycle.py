"""Starting and stopping in order: what was started last is stopped first, and a fault of any part ends the whole."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from ingest_server.domain.errors import Reason, Unavailable

log = logging.getLogger(__name__)


class Lifecycle:
    """Waits for the reason to end: a signal, or a part that failed.

    The first SIGTERM or SIGINT asks for a drain; the second for an end at once. SIGHUP asks for a reload.

    Args:
        on_reload: called at SIGHUP.
    """

    def __init__(self, on_reload: Callable[[], None]) -> None:
        self._on_reload = on_reload
        self._drain = asyncio.Event()
        self._at_once = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.fault: BaseException | None = None

    def listen_to_signals(self) -> None:
        """Take over SIGTERM, SIGINT and SIGHUP."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.ask_to_end)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_reload)

    def forget_signals(self) -> None:
        """Give the signals back."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._loop.remove_signal_handler(number)

    def ask_to_end(self) -> None:
        """First call: drain. Second: end at once."""
        if self._drain.is_set():
            log.warning("asked twice to end: running jobs are handed back at once")
            self._at_once.set()
        else:
            self._drain.set()

    def fail(self, fault: BaseException) -> None:
        """A part is gone and the server cannot go on. Nothing is lost: what was accepted is in the store."""
        if self.fault is None:
            self.fault = fault
        self._drain.set()
        self._at_once.set()

    @property
    def ends_at_once(self) -> bool:
        """Whether nothing is to be waited for any more."""
        return self._at_once.is_set()

    async def until_drain(self) -> None:
        """Return when the server is to drain."""
        await self._drain.wait()

    async def until_at_once(self) -> None:
        """Return when the server is to end without waiting for running jobs."""
        await self._at_once.wait()


def store_lost() -> Unavailable:
    """Why the server ends when its store process has."""
    return Unavailable(
        "the store process has ended unasked (killed? out of memory?). Start the server again: what was acknowledged is on disk",
        reason=Reason.STORE_UNAVAILABLE,
    )
