"""The second thread of a worker: takes orders while an attempt runs, and sends progress.

It alone writes on `control`, so an interrupt of the main thread can never cut a frame in two.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from ingest_server.engines.local.frames import FrameError, FrameReader, Key, Kind, pack, unpack

if TYPE_CHECKING:
    from ingest_server.engines.local.child import Worker
    from ingest_server.handlers.context import AttemptContext

ORDER_BYTES_MAX = 16 * 1_024 * 1_024
RECEIVE_BYTES = 64 * 1_024
EXIT_CUT_OFF = os.EX_OSERR
"""The socket to the server was closed under the worker, by a handler that closes what is not its own."""


class ControlThread:
    """See the module.

    Args:
        worker: whose second thread it is.
        link: the worker's end of `control`.
        progress_interval_seconds: least time between two reports.
    """

    def __init__(self, worker: Worker, link: socket.socket, progress_interval_seconds: float) -> None:
        self._worker = worker
        self._link = link
        self._interval_seconds = progress_interval_seconds
        self._reader = FrameReader(ORDER_BYTES_MAX)
        self._unsent: dict[Key, AttemptContext] = {}
        self._sent_at = 0.0
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._main_thread = threading.get_ident()

    def start(self) -> None:
        """Start the thread; it blocks all signals, so that they interrupt the main thread where it waits."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            threading.Thread(target=self._run, name="ingest-control", daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def tell_progress(self, context: AttemptContext) -> None:
        """Have the newest progress of an attempt sent soon. Any thread."""
        waits = context.key in self._unsent
        self._unsent[context.key] = context
        if not waits:
            os.eventfd_write(self._wake, 1)

    def forget_progress(self, key: Key) -> None:
        """The attempt has ended: its outcome carries the last progress."""
        self._unsent.pop(key, None)

    def _run(self) -> None:
        status = 0
        try:
            self._serve()
        except (OSError, FrameError):
            status = EXIT_CUT_OFF
        # Without the server there is nothing to do and nobody to tell. The main thread may be deep in a handler.
        os._exit(status)

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            wait_seconds = self._send_progress()
            ready = {fd for fd, _ in poll.poll(None if wait_seconds is None else wait_seconds * 1_000)}
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if self._link.fileno() in ready:
                data = self._link.recv(RECEIVE_BYTES)
                if not data:
                    return
                for kind, body in self._reader.feed(data):
                    self._obey(kind, unpack(kind, body))

    def _send_progress(self) -> float | None:
        """Send what is due. Answers how long until more is due; None if nothing waits."""
        if not self._unsent:
            return None
        rest_seconds = self._sent_at + self._interval_seconds - time.monotonic()
        if rest_seconds > 0:
            return rest_seconds
        rows = []
        for key in list(self._unsent):
            context = self._unsent.pop(key, None)
            if context is not None:
                rows.append((key[0], key[1], context.progress_bytes))
        if rows:
            self._sent_at = time.monotonic()
            self._link.sendall(pack(Kind.PROGRESS, rows))
        return None

    def _obey(self, kind: int, body: object) -> None:
        worker = self._worker
        if kind == Kind.CANCEL:
            for seq, lease in body:  # type: ignore[attr-defined]  # the decoder has proved its type
                worker.cancelled.add((seq, lease))
                worker.attempts.cancel((seq, lease))
        elif kind == Kind.INTERRUPT:
            for seq, lease in body:  # type: ignore[attr-defined]
                worker.interrupt_key = (seq, lease)
                if worker.armed_key == (seq, lease):
                    signal.pthread_kill(self._main_thread, _interrupt_signal())
        elif kind == Kind.NUDGE:
            self._nudge(body)  # type: ignore[arg-type]

    def _nudge(self, run_us_max: int) -> None:
        """Send the outcomes that wait. If the present attempt has run long, give back what was not begun, and also what lies
        in the socket unread: the main thread will not come to it soon."""
        worker = self._worker
        since_ns = worker.sync_since_ns
        if since_ns and time.monotonic_ns() - since_ns >= run_us_max * 1_000:
            worker.receive(block=False)
            keys = []
            while True:
                try:
                    row = worker.rows.pop()
                except IndexError:
                    break
                keys.append((row[0], row[1]))
            worker.flush()
            if keys:
                keys.reverse()
                worker.send(pack(Kind.RETURNED, keys))
        else:
            worker.flush()


def _interrupt_signal() -> int:
    from ingest_server.engines.local.child import INTERRUPT_SIGNAL

    return INTERRUPT_SIGNAL
