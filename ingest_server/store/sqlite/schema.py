"""The tables, and how a data file of an older version becomes one of this version.

Migrations are numbered from 1, forward only, and each runs in a transaction of its own that also writes its number to
`user_version`: a crash between two of them leaves a file that goes on from there.
"""

from __future__ import annotations

from ingest_server.domain.errors import Reason, Unavailable

APPLICATION_ID = 0x494E4753
"""ASCII "INGS", at byte 68 of the file: tells our file from any other SQLite file."""

READY = 2
"""QUEUED, and in the line for a lease; also while a lease holds it, for a lease leaves no mark on the row."""
PARKED = 0
"""QUEUED, but behind another job with the same concurrency key; in no line."""
GRANTED = 3
"""RUNNING from the first: leased by the very submit that brought it, and never in a line, which saves an entry of the index. When
that lease ends without an end of the job, it becomes READY. The other values of `jobs.state` are those of `JobState`."""

_VERSION_1 = """
CREATE TABLE counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id BLOB NOT NULL,
    clean INTEGER NOT NULL,            -- 1: closed in order, nothing was under way
    next_seq INTEGER NOT NULL,
    next_lease INTEGER NOT NULL,
    next_position INTEGER NOT NULL,
    next_batch INTEGER NOT NULL,
    next_group INTEGER NOT NULL,
    next_policy INTEGER NOT NULL,
    events_forgotten INTEGER NOT NULL  -- position after which the log is complete
) STRICT;

CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    weight INTEGER NOT NULL,
    running_max INTEGER NOT NULL,
    start_rate_per_second REAL NOT NULL,
    paused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    fairness_key TEXT NOT NULL,
    jobs INTEGER NOT NULL              -- rows of any state; at 0 a purge removes the group
) STRICT;

-- What jobs of one submit have in common, once. `jobs` counts the rows that use it; at 0 it goes.
CREATE TABLE policies (
    id INTEGER PRIMARY KEY,
    jobs INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    result_ttl_us INTEGER NOT NULL,
    concurrency_key TEXT NOT NULL,
    labels TEXT NOT NULL,              -- a JSON object
    spec BLOB NOT NULL
) STRICT;

CREATE TABLE batches (
    number INTEGER PRIMARY KEY,
    batch_id BLOB NOT NULL,
    tenant TEXT NOT NULL,
    empty_us INTEGER NOT NULL          -- when it was made without a job; 0 once it had one
) STRICT;
CREATE UNIQUE INDEX batches_by_id ON batches (batch_id, tenant);
CREATE INDEX batches_empty ON batches (empty_us) WHERE empty_us > 0;
CREATE TABLE batch_ranges (
    batch INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, PRIMARY KEY (batch, first_seq)
) STRICT, WITHOUT ROWID;

-- Narrow columns first: a scan need not read what stands behind them. Absent values are NULL, which takes no room.
-- payload, output: bytes up to 1 KiB; an integer is the size of bytes that stand in the table of that name.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    job_id BLOB NOT NULL,
    grp INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    policy INTEGER NOT NULL,
    state INTEGER NOT NULL,
    order_key INTEGER NOT NULL,        -- create_us - priority * ageing: a fixed key that orders like linear ageing
    create_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL DEFAULT 0,
    deadline_us INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    crash_count INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,  -- number of the last concluded lease
    revision INTEGER NOT NULL,
    start_us INTEGER NOT NULL DEFAULT 0,
    end_us INTEGER NOT NULL DEFAULT 0,
    expire_us INTEGER NOT NULL DEFAULT 0,
    has_blobs INTEGER NOT NULL DEFAULT 0,
    lane TEXT,                         -- tenant, queue and concurrency key, when there is one
    worker TEXT,                       -- NULL until an attempt was concluded
    retried_from BLOB,
    failure BLOB,
    progress BLOB,
    history BLOB,                      -- NULL: at most one attempt, told by the columns above
    payload ANY,
    output ANY
) STRICT;
CREATE UNIQUE INDEX jobs_by_id ON jobs (job_id);
CREATE INDEX jobs_ready ON jobs (grp, order_key) WHERE state = 2;
CREATE INDEX jobs_due ON jobs (due_us) WHERE state = 1;
CREATE INDEX jobs_parked ON jobs (lane, grp, order_key) WHERE state = 0;
CREATE INDEX jobs_deadline ON jobs (deadline_us) WHERE deadline_us > 0 AND state < 5;

CREATE TABLE payloads (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE outputs (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE blob_refs (sha256 BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sha256, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX blob_refs_by_seq ON blob_refs (seq);

-- One row per lease, none per leased job. A row is gone when the last of its jobs is concluded.
CREATE TABLE leases (
    number INTEGER PRIMARY KEY,
    until_us INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    first_position INTEGER NOT NULL,   -- of the RUNNING event of the first job; the others follow one by one
    seqs BLOB NOT NULL                 -- 8 bytes little-endian each
) STRICT;

-- One row per commit.
CREATE TABLE events (
    last_position INTEGER PRIMARY KEY, first_position INTEGER NOT NULL, time_us INTEGER NOT NULL, events BLOB NOT NULL
) STRICT;

-- When ended jobs may be forgotten: a row per commit and second of expiry instead of an index entry per job.
CREATE TABLE expiries (id INTEGER PRIMARY KEY, due_us INTEGER NOT NULL, seqs BLOB NOT NULL) STRICT;
CREATE INDEX expiries_by_time ON expiries (due_us);

CREATE TABLE dedupe (
    tenant TEXT NOT NULL, queue TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL, until_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX dedupe_by_time ON dedupe (until_us);

CREATE TABLE requests (
    id INTEGER PRIMARY KEY, request_id BLOB NOT NULL, tenant TEXT NOT NULL, digest BLOB NOT NULL, at_us INTEGER NOT NULL,
    answer BLOB NOT NULL               -- batch id, job ids of 16 bytes, codes of 1 byte
) STRICT;
CREATE UNIQUE INDEX requests_by_id ON requests (request_id, tenant);
"""

_VERSION_2 = """
-- Callbacks of jobs that have not ended; a job without callbacks has no row. targets: JSON [[url, host, mask of states], …]
CREATE TABLE callbacks (seq INTEGER PRIMARY KEY, targets TEXT NOT NULL) STRICT;

-- What is owed to callbacks, and how it went; see store/outbox.py. It outlives its job, so it has all that is told.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,        -- position of the event * 8 + target
    seq INTEGER NOT NULL,
    target INTEGER NOT NULL,
    status INTEGER NOT NULL,
    begin_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    state INTEGER NOT NULL,
    job_attempt INTEGER NOT NULL,
    event_us INTEGER NOT NULL,
    host TEXT NOT NULL,
    url TEXT NOT NULL,
    job_id BLOB NOT NULL,
    batch_id BLOB NOT NULL,
    tenant TEXT NOT NULL,
    labels TEXT NOT NULL,
    failure BLOB,
    log TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_by_line ON deliveries (seq, target, number);
CREATE INDEX deliveries_due ON deliveries (due_us) WHERE status = 1;
CREATE INDEX deliveries_by_host ON deliveries (host, due_us) WHERE status = 1;
"""

# What every commit used to rewrite is reckoned instead: newest numbers from the rows themselves, lease numbers from the log, the
# sizes of groups and policies from time to time. Two pages less for an expiry, three less for the rest.
_VERSION_3 = """
ALTER TABLE counters DROP COLUMN next_lease;         -- a lease has the number of its first event
ALTER TABLE counters ADD COLUMN counted_seq INTEGER NOT NULL DEFAULT 0;  -- groups.jobs, policies.jobs count rows up to this one
UPDATE counters SET counted_seq = next_seq - 1;

ALTER TABLE expiries RENAME TO expiries_of_version_1;
CREATE TABLE expiries (
    due_us INTEGER PRIMARY KEY,        -- moved by some microseconds where two commits meet
    seqs BLOB NOT NULL
) STRICT;
INSERT INTO expiries (due_us, seqs)
    SELECT due_us + row_number() OVER (ORDER BY due_us, id) - 1, seqs FROM expiries_of_version_1;
DROP TABLE expiries_of_version_1;
"""

# Parts of a job are jobs themselves; what they are parts of stands in their policy, for all of one job share one.
_VERSION_4 = """
ALTER TABLE policies ADD COLUMN part_of BLOB;
CREATE INDEX jobs_parts ON jobs (policy) WHERE batch = 0;  -- parts belong to no batch
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""Statements that make version n + 1 from version n. A released one is never edited."""

VERSION = len(MIGRATIONS)


def refuse_newer(version: int, path: str) -> None:
    """Raise Unavailable if the file was written by a newer program."""
    if version > VERSION:
        raise Unavailable(
            f"{path} has schema version {version}, this program knows versions up to {VERSION}: start the newer program that "
            f"wrote it, or give another data directory",
            reason=Reason.STORE_UNAVAILABLE,
            metadata={"schema_version": str(version), "schema_version_max": str(VERSION)},
        )
