"""The SQLite store without its process and threads: the same writer, reader, SQL and group commits, called in the loop itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from ingest_server.store.sqlite import faults, frames
from ingest_server.store.sqlite.channel import gone
from ingest_server.store.sqlite.reader import Reader
from ingest_server.store.sqlite.recovery import DATABASE_NAME
from ingest_server.store.sqlite.store import SqliteStore
from ingest_server.store.sqlite.writer import Command, Writer

_T = TypeVar("_T")
WAL_PAGES = 64
"""Small, so that checkpoints happen within a history."""


class InlineSqliteStore(SqliteStore):
    """See the module.

    Args:
        directory: of the data file.
        ageing_us: as `SqliteStore`.
    """

    def __init__(self, directory: Path, *, ageing_us: int) -> None:
        super().__init__(directory, ageing_us=ageing_us, wal_pages_idle=WAL_PAGES, wal_pages_max=WAL_PAGES)
        self._waiting: list[tuple[Command, asyncio.Future[Any], Any]] = []
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._calls = 0
        self._statements_left = 0
        self._fault: type[apsw.Error] = apsw.IOError
        self.lost = False

    async def open(self, now_us: int) -> None:
        """See `JobStore.open`."""
        writer = self._writer = Writer(self._settings)
        told = writer.open(now_us)
        writer.db.exec_trace = self._trace
        self._reader = Reader(self._directory / DATABASE_NAME)
        self._state = "open"
        self._tell(told, [])

    def crash(self) -> None:
        """What was not committed is lost; the file stays as it is."""
        self._state = "closed"
        self._waiting.clear()
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            self._writer.db.exec_trace = None
            self._writer.db.close()
            os.close(self._writer._lock)
        self._reader = self._writer = None

    def fail_after(self, statements: int, fault: type[apsw.Error]) -> None:
        """Let the disk fail once, so many statements from now: inside a commit, or at its end."""
        self._statements_left, self._fault = statements, fault

    def _trace(self, cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if self._statements_left and not sql.startswith("ROLLBACK"):
            self._statements_left -= 1
            if not self._statements_left:
                raise self._fault("injected")
        return True

    def _call(self, verb: str, arguments: tuple[Any, ...], *, reserve: bool = False, context: Any = None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._state != "open":
            future.set_exception(gone())
            return future
        self._calls += 1
        if not self._waiting:
            loop.call_soon(self._commit)
        self._waiting.append((_sent((self._calls, verb, arguments)), future, context))
        return future

    def _commit(self) -> None:
        """What has gathered is one group commit."""
        waiting, self._waiting = self._waiting, []
        writer = self._writer
        if writer is None or not waiting:
            return
        try:
            told, answers = _sent(writer.execute([command for command, _, _ in waiting]))
        except apsw.Error:  # the disk failed while what had failed before was taken back: the store process ends
            self._state, self.lost = "closed", True
            for _, future, _ in waiting:
                future.set_exception(gone())
            return
        by_call = {call: (succeeded, value) for call, succeeded, value in answers}
        answered = [(*by_call[command[0]], future, context) for command, future, context in waiting]
        if told is not None:
            self._tell(
                told, [(context, value[1]) for succeeded, value, _, context in answered if context is not None and succeeded]
            )
        for succeeded, value, future, context in answered:
            if future.done():
                continue
            if succeeded:
                future.set_result(value if context is None else value[0])
            else:
                future.set_exception(faults.decode(value))
        if writer.wal_pages >= WAL_PAGES:
            writer.checkpoint()

    async def _read(self, read: Callable[[Reader], _T]) -> _T:
        if self._reader is None:
            raise gone()
        try:
            return self._reader.run(read)
        except apsw.Error as error:
            raise faults.translate(error, str(self._directory)) from error


def _sent(value: _T) -> _T:
    """As it comes out at the other end of the socketpair."""
    buffer = frames.FrameBuffer()
    buffer.feed(frames.pack(value))
    sent: Iterable[_T] = buffer.take()
    return next(iter(sent))
