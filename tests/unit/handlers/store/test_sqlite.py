"""A database as a target: what it refuses, what waits, what a crash undoes, and what is in it in the end."""

from __future__ import annotations

import json
import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
import sqlite_vec

from ingest_server.domain.clock import SystemClock
from ingest_server.domain.store_target import StoreRules
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.targets.interface import Writing
from ingest_server.handlers.targets.sqlite import schema
from ingest_server.handlers.targets.sqlite.database import Database
from ingest_server.handlers.targets.sqlite.target import SqliteTarget
from ingest_server.handlers.targets.stored_documents import stored_documents
from tests.unit.handlers.store.conftest import Store, document_of


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """A connection of somebody else's, with sqlite-vec."""
    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    try:
        yield connection
    finally:
        connection.close()


class TurnedClock(SystemClock):
    """A clock whose waits pass when the test says so."""

    seconds = 0.0

    def monotonic(self) -> float:
        """As turned."""
        return self.seconds


def rows(path: Path, statement: str, *values: Any) -> list[Any]:
    """What a query finds."""
    with opened(path) as connection:
        return connection.execute(statement, values).fetchall()


def consistent(path: Path) -> None:
    """The full-text index and the vectors belong to the chunks that are there."""
    with opened(path) as connection:
        connection.execute("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'chunks_vec'").fetchone():
            strays = "SELECT count(*) FROM chunks_vec WHERE chunk NOT IN (SELECT id FROM chunks)"
            assert connection.execute(strays).get == 0


def fails(store: Callable[[], object], reason: str, *, retryable: bool = False) -> str:
    """The message of the failure that storing must end with."""
    with pytest.raises(HandlerFailure) as caught:
        store()
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    return caught.value.message


def test_a_file_that_is_no_database_is_left_as_it_is(stored: Store, root: Path) -> None:
    path = root / "notes.db"
    path.write_bytes(b"my notes, dear to me" * 100)
    message = fails(lambda: stored(document_of(), f"sqlite://{path}"), "STORE_TARGET_UNUSABLE")
    assert "no database" in message
    assert path.read_bytes() == b"my notes, dear to me" * 100


def test_a_database_of_another_program_is_left_as_it_is(stored: Store, root: Path) -> None:
    path = root / "other.db"
    with opened(path) as connection:
        connection.execute("CREATE TABLE documents (mine TEXT); INSERT INTO documents VALUES ('x')")
    before = path.read_bytes()
    assert "something else (1 tables" in fails(lambda: stored(document_of(), f"sqlite://{path}"), "STORE_TARGET_UNUSABLE")
    assert path.read_bytes() == before


def test_a_database_of_a_later_version_is_left_alone(stored: Store, root: Path) -> None:
    path = root / "x.db"
    stored(document_of(), f"sqlite://{path}")
    with opened(path) as connection:
        connection.pragma("user_version", schema.VERSION + 1)
    message = fails(lambda: stored(document_of("other"), f"sqlite://{path}"), "STORE_TARGET_UNUSABLE")
    assert f"of version {schema.VERSION + 1}; this server writes version {schema.VERSION}" in message


def test_a_folder_and_a_missing_right_are_told(stored: Store, root: Path) -> None:
    (root / "folder.db").mkdir()
    assert "is a folder" in fails(lambda: stored(document_of(), f"sqlite://{root}/folder.db"), "STORE_TARGET_UNUSABLE")
    (root / "file").touch()
    fails(lambda: stored(document_of(), f"sqlite://{root}/file/x.db"), "STORE_TARGET_UNUSABLE")


def test_vectors_of_another_dimension_or_model_are_refused_and_nothing_is_lost(stored: Store, root: Path) -> None:
    path = root / "x.db"
    stored(document_of(dimensions=3), f"sqlite://{path}")
    message = fails(lambda: stored(document_of(dimensions=4), f"sqlite://{path}"), "STORE_TARGET_UNUSABLE")
    assert "3 dimensions" in message
    assert "have 4" in message
    assert rows(path, "SELECT count(*) FROM chunks_vec") == [(2,)]
    uneven = document_of(dimensions=3)
    uneven.chunks[0].embedding.append(1.0)
    assert "different dimensions or models: 3 by an unnamed model, 4" in fails(
        lambda: stored(uneven, f"sqlite://{path}"), "STORE_TARGET_UNUSABLE"
    )
    other = document_of(dimensions=3)
    other.embedding_model = "other-model"
    assert "are by other-model" in fails(lambda: stored(other, f"sqlite://{path}"), "STORE_TARGET_UNUSABLE")
    assert rows(path, "SELECT count(*) FROM chunks_vec") == [(2,)]
    consistent(path)


def test_a_locked_database_is_waited_for_and_then_told(root: Path) -> None:
    path, clock = root / "x.db", TurnedClock()
    pauses: list[float] = []
    with Database(str(path), busy_seconds=5, check=lambda: None) as first, first.transaction():

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            clock.seconds += 2

        def second() -> None:
            database = Database(str(path), busy_seconds=5, check=lambda: None, clock=clock, pause=pause)
            with database, database.transaction():
                raise AssertionError("it is locked")

        message = fails(second, "STORE_TARGET_UNAVAILABLE", retryable=True)
    assert "for 5 s (store_busy_seconds)" in message
    assert len(pauses) == 3


def test_who_waits_for_a_lock_hears_of_a_cancel(root: Path) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise Cancelled

    path = str(root / "x.db")
    first = Database(path, busy_seconds=5, check=lambda: None)
    second = Database(path, busy_seconds=1e9, check=check)
    with first, first.transaction(), pytest.raises(Cancelled), second, second.transaction():
        pass
    assert asked == 4


def test_a_lock_that_is_released_in_time_is_taken(root: Path) -> None:
    path = root / "x.db"
    first = Database(str(path), busy_seconds=5, check=lambda: None).__enter__()
    first.execute("BEGIN IMMEDIATE")

    def pause(_: float) -> None:
        first.execute("ROLLBACK")

    with Database(str(path), busy_seconds=5, check=lambda: None, pause=pause) as second, second.transaction():
        second.execute("INSERT INTO properties (name, value) VALUES ('a', 'b')")
    first.__exit__(None, None, None)
    assert rows(path, "SELECT value FROM properties") == [("b",)]


def test_a_full_disk_undoes_everything(root: Path, stored: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "x.db"
    stored(document_of(), f"sqlite://{path}")
    prepare = Database._prepare

    def nearly_full(database: Database) -> None:
        prepare(database)
        pages = database._connection.pragma("page_count")
        database._connection.pragma("max_page_count", pages + 2)

    monkeypatch.setattr(Database, "_prepare", nearly_full)
    message = fails(lambda: stored(document_of("large", chunks=5_000), f"sqlite://{path}"), "STORAGE_FULL", retryable=True)
    assert "is full; nothing was left half written" in message
    assert rows(path, "SELECT title FROM documents") == [("On harbour",)]
    consistent(path)


def test_a_cancel_in_the_middle_of_a_document_keeps_the_old_one(stored: Store, root: Path) -> None:
    path = root / "x.db"
    stored(document_of(chunks=3), f"sqlite://{path}", key="k")
    with pytest.raises(Cancelled):
        stored(document_of("other", chunks=3_000), f"sqlite://{path}", key="k", cancel_after=10)
    assert rows(path, "SELECT title, count(*) FROM documents JOIN chunks ON document = documents.id") == [("On harbour", 3)]
    consistent(path)


def test_a_worker_killed_in_the_middle_leaves_the_old_state_and_no_lock(root: Path, stored: Store) -> None:
    path = root / "x.db"
    stored(document_of(chunks=3, dimensions=2), f"sqlite://{path}", key="k")
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        if checks == 8:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        target = SqliteTarget(str(path), StoreRules((str(root),)), busy_seconds=5)
        target.write(list(stored_documents(document_of("new", chunks=3_000, dimensions=2), "a", "k")), Writing("job", check))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert rows(path, "SELECT title FROM documents") == [("On harbour",)]
    consistent(path)
    stored(document_of("new", dimensions=2), f"sqlite://{path}", key="k")
    assert rows(path, "SELECT title FROM documents") == [("On new",)]
    consistent(path)


@pytest.mark.slow
def test_two_workers_write_to_a_new_database_at_once_and_every_document_is_there_once(root: Path) -> None:
    path, each = root / "x.db", 12
    start_read, start_write = os.pipe()
    pids = []
    for worker in range(3):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.read(start_read, 1)
                target = SqliteTarget(str(path), StoreRules((str(root),)), busy_seconds=60)
                for number in range(each):
                    # Every other document is written by all of them: the same job, run more than once.
                    word = f"shared{number}" if number % 2 else f"own{worker}x{number}"
                    documents = list(stored_documents(document_of(word, dimensions=2), word, ""))
                    target.write(documents, Writing("job", lambda: None))
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    os.write(start_write, b"123")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    os.close(start_read)
    os.close(start_write)
    assert rows(path, "SELECT count(*), count(DISTINCT name) FROM documents") == [(each // 2 + 3 * each // 2,) * 2]
    assert rows(path, "SELECT count(*) FROM chunks_vec") == [(2 * (each // 2 + 3 * each // 2),)]
    consistent(path)


def test_everything_is_in_the_tables(stored: Store, root: Path) -> None:
    path = root / "new folder" / "x.sqlite"
    stored(document_of(dimensions=3), f"sqlite://{root}/new%20folder/x.sqlite", name="a.pdf", job_id="job-1")
    assert rows(path, "SELECT name, title, authors, page_count, create_time, job_id FROM documents") == [
        ("a.pdf", "On harbour", '["Dora Dock"]', 2, None, "job-1")
    ]
    columns = "element_id, kind, role, page, heading_level, bounding_box, text"
    assert rows(path, f"SELECT {columns} FROM elements ORDER BY position") == [
        ("e1", "text", "heading", 1, 1, "[0.0,0.0,100.5,0.0]", "The harbour"),
        ("e2", "table", None, 2, 0, None, "Größe\t3"),
        ("e3", "image", None, 0, 0, None, "a boat"),
    ]
    (content,) = rows(path, "SELECT content FROM elements WHERE kind = 'table'")[0]
    assert json.loads(content)["cells"][0]["text"] == "Größe"
    assert rows(path, "SELECT chunk_id, headings, pages, element_ids, token_count FROM chunks WHERE position = 0") == [
        ("c1", '["The harbour"]', "[1,2]", '["e1"]', 3)
    ]
    assert rows(path, "SELECT rowid FROM chunks_fts('harbour AND 2')") == [(2,)]
    near = rows(path, "SELECT chunk FROM chunks_vec WHERE embedding MATCH ? AND k = 1", struct.pack("3f", 2, 2.1, 2.2))
    assert near == [(2,)]
    consistent(path)


def test_a_document_is_replaced_with_all_that_belongs_to_it(stored: Store, root: Path) -> None:
    path = root / "x.db"
    stored(document_of("old", chunks=5, dimensions=2), f"sqlite://{path}", key="k")
    stored(document_of("other", chunks=1, dimensions=2), f"sqlite://{path}", key="l")
    stored(document_of("new", chunks=2, dimensions=2), f"sqlite://{path}", key="k")
    assert rows(path, "SELECT title FROM documents ORDER BY title") == [("On new",), ("On other",)]
    assert rows(path, "SELECT count(*) FROM chunks_fts('old')") == [(0,)]
    assert rows(path, "SELECT (SELECT count(*) FROM chunks), (SELECT count(*) FROM chunks_vec)") == [(3, 3)]
    consistent(path)


def test_documents_inside_others_are_stored_with_them_and_replaced_with_them(stored: Store, root: Path) -> None:
    path, mail = root / "x.db", document_of("mail", chunks=1, dimensions=2)
    for word in ("letter", "archive"):
        inner = mail.documents.add()
        inner.CopyFrom(document_of(word, chunks=2, dimensions=2))
        inner.name = f"{word}.pdf"
    mail.documents[1].documents.add(name="deep.txt").chunks.add(id="c1", text="deep", embedding=[1, 2])
    statement = """
        SELECT inside.name, around.name, inside.document_id LIKE around.document_id || '/%'
        FROM documents AS inside JOIN documents AS around ON inside.parent = around.id ORDER BY inside.id
    """
    for _ in range(2):
        output = stored(mail, f"sqlite://{path}", name="post.eml")
        assert output.metadata["store.documents"] == "4"
        assert rows(path, statement) == [
            ("letter.pdf", "post.eml", 1),
            ("archive.pdf", "post.eml", 1),
            ("deep.txt", "archive.pdf", 1),
        ]
        assert rows(path, "SELECT (SELECT count(*) FROM chunks), (SELECT count(*) FROM chunks_vec)") == [(6, 6)]
    del mail.documents[:]
    stored(mail, f"sqlite://{path}", name="post.eml")
    assert rows(path, "SELECT (SELECT count(*) FROM chunks), (SELECT count(*) FROM chunks_vec)") == [(1, 1)]
    consistent(path)
