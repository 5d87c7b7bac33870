"""Opening the data file: one owner, sound, of our version; and what the last owner left behind."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import apsw

from ingest_server.domain.errors import Reason, Unavailable
from ingest_server.store.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION, refuse_newer
from ingest_server.store.sqlite.settling import hand_back
from ingest_server.store.sqlite.transaction import Transaction

DATABASE_NAME = "store.db"
LOCK_NAME = "lock"

_LOCK_POLL_SECONDS = 0.02


def lock(directory: Path, wait_seconds: float) -> int:
    """Become the owner of a data directory. Answers the descriptor that holds the lock; it ends with the process.

    Waits a little, because the store process of a server that was killed ends some milliseconds after it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= end:
                owner = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(descriptor)
                raise Unavailable(
                    f"{directory} is in use by another server (store process {owner}): stop that one, or give another data "
                    f"directory",
                    reason=Reason.STORE_UNAVAILABLE,
                    metadata={"owner_pid": owner},
                ) from None
            time.sleep(_LOCK_POLL_SECONDS)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def connect(path: Path) -> apsw.Connection:
    """Open the file for the writer: WAL, one fsync per commit. The WAL is never truncated while it is open: commits overwrite it,
    which costs the file system less than to let it grow each time."""
    db = apsw.Connection(str(path), statementcachesize=200)
    db.set_busy_timeout(5_000)
    db.execute("PRAGMA page_size = 4096")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -8192")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("PRAGMA foreign_keys = OFF")
    return db


def check_and_migrate(db: apsw.Connection, path: Path, now_us: int, quick_check_bytes_max: int) -> None:
    """Raise Unavailable for a file that is not ours, damaged, or of a newer program; else bring it up to date.

    After an unclean end every page is checked, as long as the file has at most `quick_check_bytes_max` bytes (one second for
    some 500 MB); a larger one is trusted to SQLite's own journal, and its structure is looked at.
    """
    version = db.pragma("user_version")
    application = db.pragma("application_id")
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    empty = tables is not None and tables[0] == 0
    if not empty and application != APPLICATION_ID:
        raise Unavailable(
            f"{path} is an SQLite file of another program (application_id {application}): give another data directory",
            reason=Reason.STORE_UNAVAILABLE,
        )
    refuse_newer(version, str(path))
    for number in range(version, VERSION):
        _migrate(db, number)
    row = db.execute("SELECT clean FROM counters WHERE id = 1").fetchone()
    if row is None:
        db.execute(
            """INSERT INTO counters (id, store_id, clean, next_seq, next_position, next_batch, next_group, next_policy,
            events_forgotten, counted_seq) VALUES (1, ?, 0, 1, 1, 1, 1, 1, 0, 0)""",
            (os.urandom(16),),
        )
    elif not row[0] and path.stat().st_size <= quick_check_bytes_max:
        _check_pages(db, path)
    db.execute("UPDATE counters SET clean = 0 WHERE id = 1")
    db.execute("INSERT OR IGNORE INTO queues VALUES ('default', 1, 0, 0.0, 0)")


def _migrate(db: apsw.Connection, number: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(MIGRATIONS[number])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {number + 1}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _check_pages(db: apsw.Connection, path: Path) -> None:
    faults = [text for (text,) in db.execute("PRAGMA quick_check(3)")]
    if faults != ["ok"]:
        raise Unavailable(
            f"{path} is damaged ({'; '.join(faults)[:300]}): restore it from a backup, or give another data directory",
            reason=Reason.STORE_UNAVAILABLE,
        )


def end_old_leases(tx: Transaction, now_us: int) -> None:
    """End the leases of servers before: their jobs are QUEUED again, those asked to stop CANCELLED."""
    state = tx.state
    hand_back(tx, sorted(state.running.values(), key=lambda held: held[1]), now_us)
    state.leases.clear()
    tx.db.execute("DELETE FROM leases")
    tx.groups.update({group.number: group.key for group in state.groups.values()})
