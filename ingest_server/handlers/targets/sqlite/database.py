"""One connection to a database of the task store: opened, locked, brought to the present version, written, closed.

Several workers write to one database. Each opens it for one document and holds the lock of writers for one transaction; those
that wait look every tenth of a second whether their job was cancelled. A process that is killed leaves its transaction undone.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import apsw
import sqlite_vec

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.handlers.targets.failures import storage_full, unavailable, unusable
from ingest_server.handlers.targets.sqlite import schema

WAIT_MILLISECONDS = 100
"""One wait for a lock within SQLite, which no cancel can interrupt."""
PAUSE_SECONDS = 0.01
"""Where SQLite refuses without a wait, as it does while another process changes the journal."""
_PERMANENT = (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError)
_DAMAGED = (apsw.CorruptError, apsw.NotADBError)


class Database:
    """A connection. Used as a context manager; made after the fork, by the process that uses it.

    Args:
        path: of the file, without symbolic links; made if it is missing.
        busy_seconds: longest wait for other writers.
        check: raises if the job was asked to stop; called while waiting.
        clock: measures the wait.
        pause: waits some seconds.
    """

    def __init__(
        self,
        path: str,
        *,
        busy_seconds: float,
        check: Callable[[], None],
        clock: Clock | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._check = check
        self._clock = clock or SystemClock()
        self._pause = pause

    def __enter__(self) -> Database:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOFOLLOW
        with self._translated():
            self._connection = apsw.Connection(self._path, flags=flags)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def execute(self, statement: str, values: Any = ()) -> apsw.Cursor:
        """Run a statement inside `transaction`."""
        return self._connection.execute(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock of writers; commit at the end, undo everything if something is raised. On return it is on disk.

        Raises:
            HandlerFailure: STORE_TARGET_UNAVAILABLE, another process wrote for longer than `busy_seconds`; STORAGE_FULL;
                STORE_TARGET_UNUSABLE, the database is of a later version or damaged.
            Cancelled: the job was asked to stop.
        """
        with self._translated():
            self._patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"))
            try:
                self._bring_up()
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def require_vectors(self, dimensions: int, model: str) -> None:
        """Make the table of vectors, or make sure that it is for such vectors. Inside `transaction`.

        Raises:
            HandlerFailure: STORE_TARGET_UNUSABLE, it holds vectors of another dimension or model.
        """
        present = {str(name): str(value) for name, value in self._connection.execute("SELECT name, value FROM properties")}
        if schema.DIMENSIONS not in present:
            self._connection.execute(schema.VECTORS.format(dimensions=dimensions))
            rows = ((schema.DIMENSIONS, str(dimensions)), (schema.MODEL, model))
            self._connection.executemany("INSERT INTO properties (name, value) VALUES (?, ?)", rows)
        elif (present[schema.DIMENSIONS], present.get(schema.MODEL, "")) != (str(dimensions), model):
            raise unusable(
                f"The database {self._path} holds vectors of {present[schema.DIMENSIONS]} dimensions made by "
                f"{present.get(schema.MODEL) or 'an unnamed model'}; those of the document have {dimensions} and are by "
                f"{model or 'an unnamed model'}. They cannot be compared: "
                "store into another database, or embed with the same model."
            )

    def insert_vector(self, chunk: int, vector: Any) -> None:
        """Store the vector of a chunk. Inside `transaction`, after `require_vectors`."""
        self._connection.execute(
            "INSERT INTO chunks_vec (chunk, embedding) VALUES (?, ?)", (chunk, array("f", vector).tobytes()), can_cache=True
        )

    def delete_document(self, document_id: str) -> None:
        """Delete a document and those inside it, with all that belongs to them. Inside `transaction`."""
        if self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'chunks_vec'").fetchone():
            chunks = self._connection.execute(schema.CHUNKS_OF, (document_id,)).fetchall()
            self._connection.executemany("DELETE FROM chunks_vec WHERE chunk = ?", chunks)
        self._connection.execute("DELETE FROM documents WHERE document_id = ?", (document_id,))

    def _prepare(self) -> None:
        connection = self._connection
        connection.set_busy_timeout(WAIT_MILLISECONDS)
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        self._patiently(self._refuse_others)
        if connection.pragma("journal_mode") != "wal":
            self._patiently(lambda: connection.pragma("journal_mode", "wal"))
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)

    def _patiently(self, step: Callable[[], object]) -> None:
        """Repeat a step while other processes hold the lock it needs."""
        deadline = self._clock.monotonic() + self._busy_seconds
        while True:
            self._check()
            try:
                step()
                return
            except apsw.BusyError:
                if self._clock.monotonic() >= deadline:
                    raise
                self._pause(PAUSE_SECONDS)

    def _refuse_others(self) -> None:
        """Leave a database alone that is not ours, before anything of it is changed."""
        with self._connection:  # one state for all three: another worker may be making the tables now
            application_id, version = self._connection.pragma("application_id"), self._connection.pragma("user_version")
            tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").get
        if application_id != schema.APPLICATION_ID and (application_id or version or tables):
            raise unusable(
                f"The database {self._path} holds something else ({tables} tables of another program): name another file."
            )
        if version > schema.VERSION:
            raise unusable(
                f"The database {self._path} is of version {version}; this server writes version {schema.VERSION}: "
                "name another file, or write with a newer server."
            )

    def _bring_up(self) -> None:
        """Make the tables, if this is the first to hold the lock."""
        self._refuse_others()
        if self._connection.pragma("user_version") < schema.VERSION:
            self._connection.execute(schema.TABLES)
            self._connection.pragma("application_id", schema.APPLICATION_ID)
            self._connection.pragma("user_version", schema.VERSION)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except apsw.FullError as error:
            raise storage_full(self._path) from error
        except (apsw.BusyError, apsw.LockedError) as error:
            message = f"The database {self._path} was locked by other writers for {self._busy_seconds:g} s (store_busy_seconds)."
            raise unavailable(message) from error
        except _DAMAGED as error:
            raise unusable(
                f"The file {self._path} is no database of SQLite, or a damaged one ({error}): name another file."
            ) from error
        except _PERMANENT as error:
            raise unusable(f"The database {self._path} cannot be opened for writing: {error}") from error
        except apsw.IOError as error:
            raise unavailable(f"The database {self._path} could not be read or written: {error}") from error
