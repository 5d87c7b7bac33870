"""The server's side of one worker: its sockets, its page, and the attempts in its hands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest_server.engines.interface import AttemptRow, OutcomeCode
from ingest_server.engines.local.ending import Ending
from ingest_server.engines.local.frames import FrameError, FrameReader, Key, Kind, pack, unpack
from ingest_server.engines.local.page import SharedPage

RECEIVE_BYTES = 256 * 1_024


@dataclass(frozen=True, slots=True)
class WorkerListener:
    """Who is told, in the event loop.

    Attributes:
        on_frame: a frame came, its body well formed. May raise FrameError if it makes no sense.
        on_hang_up: no more frames will come: the worker has ended, closed its sockets, or said what cannot be understood (then
            the text says what).
    """

    on_frame: Callable[[WorkerLink, int, Any], None]
    on_hang_up: Callable[[WorkerLink, str], None]


class WorkerLink:
    """One worker process, from fork to end.

    Args:
        serial: never used again.
        slot: number in its name; taken over by its replacement.
        name: for people.
        work, control: the server's ends.
        page: shared with it.
        reply_bytes_max: larger frames from it are refused.
        frame_seconds_max: after such a silence in the midst of a frame it is given up.
        listener: who is told.
    """

    def __init__(
        self,
        serial: int,
        slot: int,
        name: str,
        work: socket.socket,
        control: socket.socket,
        page: SharedPage,
        reply_bytes_max: int,
        frame_seconds_max: float,
        listener: WorkerListener,
    ) -> None:
        self.serial = serial
        self.slot = slot
        self.name = name
        self.page = page
        self.pid = 0
        self.start_us = 0
        self.ended_count = 0
        self.ready = False
        """It has reported that it takes frames."""
        self.retiring = False
        """It gets no more attempts."""
        self.dismissed = False
        """It has been told to end: its end is no crash."""
        self.gone = False
        self.hung_up = False
        self.inflight: dict[Key, AttemptRow] = {}
        """What it was sent and has not answered for, in the order sent."""
        self.async_keys: set[Key] = set()
        self.endings: dict[Key, Ending] = {}
        self.doom: dict[Key, tuple[OutcomeCode, bytes]] = {}
        """Why the server had it killed: outcomes of the attempts that were meant; its others are LOST."""
        self.doom_text = ""
        """Why the server had it killed, if no attempt was meant."""
        self.status: int | None = None
        self.base_bytes = 0
        self.cpu_mark: tuple[Key, float] | None = None
        self.watch_timer: asyncio.TimerHandle | None = None
        self.watch_at = 0.0
        self.stall_timer: asyncio.TimerHandle | None = None
        self.exit_timer: asyncio.TimerHandle | None = None
        self._frame_timers: dict[socket.socket, asyncio.TimerHandle] = {}
        self._frame_seconds_max = frame_seconds_max
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._work, self._control = work, control
        self._readers = {work: FrameReader(reply_bytes_max), control: FrameReader(reply_bytes_max)}
        self._outboxes = {work: bytearray(), control: bytearray()}
        for link in (work, control):
            link.setblocking(False)
            self._loop.add_reader(link.fileno(), self._on_readable, link)

    @property
    def sync_count(self) -> int:
        """Attempts of sync handlers in its hands."""
        return len(self.inflight) - len(self.async_keys)

    def send_jobs(self, rows: list[AttemptRow]) -> None:
        """Send attempts, which the caller has put into `inflight`."""
        self._send(self._work, pack(Kind.JOBS, rows))

    def order(self, kind: Kind, body: object) -> None:
        """Send an order on `control`."""
        self._send(self._control, pack(kind, body))

    def dismiss(self) -> None:
        """Tell it to end, when it has nothing to do."""
        self.dismissed = self.retiring = True
        if not self.hung_up:
            with contextlib.suppress(OSError):  # it has ended by itself
                self._work.shutdown(socket.SHUT_WR)

    def drain(self) -> None:
        """Take what a worker that has ended had still sent. Copies of its sockets in processes it forked may keep them open, so
        their end is not waited for."""
        for link in (self._work, self._control):
            while not self.hung_up:
                try:
                    data = link.recv(RECEIVE_BYTES)
                except OSError:  # BlockingIOError included: nothing more is there
                    break
                if not data:
                    break
                self._take(link, data)

    def close(self) -> None:
        """Give back all it holds here."""
        self._stop_reading()
        for link in (self._work, self._control):
            link.close()
        for timer in (self.watch_timer, self.stall_timer, self.exit_timer, *(e.timer for e in self.endings.values())):
            if timer is not None:
                timer.cancel()
        self.page.close()

    def _send(self, link: socket.socket, frame: bytes) -> None:
        outbox = self._outboxes[link]
        if self.hung_up:
            return
        if outbox:
            outbox += frame
            return
        try:
            sent = link.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has ended; its hang-up is read soon
        if sent < len(frame):
            outbox += frame[sent:]
            self._loop.add_writer(link.fileno(), self._on_writable, link)

    def _on_writable(self, link: socket.socket) -> None:
        outbox = self._outboxes[link]
        try:
            sent = link.send(outbox)
        except BlockingIOError:
            return
        except OSError:
            sent = len(outbox)
        del outbox[:sent]
        if not outbox:
            self._loop.remove_writer(link.fileno())

    def _on_readable(self, link: socket.socket) -> None:
        try:
            data = link.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(link, data)
        else:
            self._hang_up("closed its connection to the server")

    def _take(self, link: socket.socket, data: bytes) -> None:
        reader = self._readers[link]
        if self._frame_timers and (timer := self._frame_timers.pop(link, None)) is not None:
            timer.cancel()
        try:
            for kind, body in reader.feed(data):
                self._listener.on_frame(self, kind, unpack(kind, body))
        except FrameError as error:
            self._hang_up(f"sent what the server cannot understand ({error})")
        if reader.unfinished and not self.hung_up:
            self._frame_timers[link] = self._loop.call_later(self._frame_seconds_max, self._on_silence)

    def _on_silence(self) -> None:
        self._hang_up(
            "sent what the server cannot understand (the beginning of a frame, and nothing more for "
            f"{self._frame_seconds_max:g} s)"
        )

    def _hang_up(self, text: str) -> None:
        if not self.hung_up:
            self.hung_up = True
            self._stop_reading()
            self._listener.on_hang_up(self, text)

    def _stop_reading(self) -> None:
        for timer in self._frame_timers.values():
            timer.cancel()
        self._frame_timers.clear()
        for link in (self._work, self._control):
            if link.fileno() >= 0:
                self._loop.remove_reader(link.fileno())
                self._loop.remove_writer(link.fileno())
