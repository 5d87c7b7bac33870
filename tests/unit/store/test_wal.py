"""Room for the write-ahead log."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
import pytest

from ingest_server.store.sqlite import wal


def connect(path: Path) -> apsw.Connection:
    """A database in WAL mode."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def test_the_log_has_its_room_and_commits_do_not_make_it_longer(tmp_path: Path) -> None:
    db = connect(tmp_path / "db")
    db.execute("CREATE TABLE t (x)")
    assert wal.allocate(tmp_path / "db-wal", 100)
    size = (tmp_path / "db-wal").stat().st_size
    assert size == wal.HEADER_BYTES + 100 * wal.FRAME_BYTES
    for number in range(20):
        db.execute("INSERT INTO t VALUES (?)", (number,))
    assert (tmp_path / "db-wal").stat().st_size == size
    db.close()


def test_what_was_committed_before_and_after_is_there_after_a_crash(tmp_path: Path) -> None:
    db = connect(tmp_path / "db")
    db.execute("CREATE TABLE t (x)")
    db.execute("INSERT INTO t VALUES ('before')")
    wal.allocate(tmp_path / "db-wal", 100)
    db.execute("INSERT INTO t VALUES ('after')")
    for name in ("db", "db-wal"):  # what a power cut leaves: the files, without the shared memory
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    db.close()
    (tmp_path / "crashed").mkdir()
    (tmp_path / "copy-db").rename(tmp_path / "crashed" / "db")
    (tmp_path / "copy-db-wal").rename(tmp_path / "crashed" / "db-wal")
    again = connect(tmp_path / "crashed" / "db")
    assert [row[0] for row in again.execute("SELECT x FROM t")] == ["before", "after"]
    again.close()


def test_a_log_that_is_longer_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "db-wal"
    path.write_bytes(b"x" * 100_000)
    assert wal.allocate(path, 2)
    assert path.read_bytes() == b"x" * 100_000


def test_without_room_the_log_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "db-wal"
    path.write_bytes(b"x" * 10)

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert not wal.allocate(path, 100)
    assert path.read_bytes() == b"x" * 10


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not wal.allocate(tmp_path / "none", 100)
    assert not (tmp_path / "none").exists()
