"""Job policies, interned: rows of equal content are found by content and by number without a look into the file.

Both maps are caches with a bound and may forget anything: by number a row is read again; by content a second row of equal
content is made, which costs a few bytes and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import apsw

PolicyContent: TypeAlias = tuple[int, int, str, tuple[tuple[str, str], ...], bytes, bytes]
"""(priority, result_ttl_us, concurrency_key, labels, spec, part_of)"""


class PolicyRecord(NamedTuple):
    """What lease and settle need of a policy."""

    spec: bytes
    result_ttl_us: int


class Policies:
    """Interned policies of one data file.

    Args:
        db: connection of the writer.
        entries_max: bound of each of the two caches.
        bytes_max: bound of the specs in each of them; a spec above a sixteenth of it is not kept by content.
    """

    def __init__(self, db: apsw.Connection, entries_max: int = 10_000, bytes_max: int = 16 << 20) -> None:
        self._db = db
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._by_content: dict[PolicyContent, int] = {}
        self._by_id: dict[int, PolicyRecord] = {}
        self._contents: dict[int, PolicyContent] = {}
        self._content_bytes = 0
        self._record_bytes = 0

    def clear(self) -> None:
        """Forget all, after a transaction was rolled back."""
        self._by_content.clear()
        self._by_id.clear()
        self._contents.clear()
        self._content_bytes = self._record_bytes = 0

    def find(self, content: PolicyContent) -> int:
        """Number of the policy with this content; 0 if none is known."""
        return self._by_content.get(content, 0)

    def insert(self, rows: Iterable[tuple[int, PolicyContent]]) -> None:
        """Add policies under new numbers, used by no job yet."""
        added = list(rows)
        self._db.executemany(
            """INSERT INTO policies (id, jobs, priority, result_ttl_us, concurrency_key, labels, spec, part_of)
            VALUES (?, 0, ?, ?, ?, ?, ?, ?)""",
            (
                (number, priority, ttl_us, key, json.dumps(dict(labels), ensure_ascii=False), spec, part_of or None)
                for number, (priority, ttl_us, key, labels, spec, part_of) in added
            ),
        )
        for number, content in added:
            self._remember(number, PolicyRecord(content[4], content[1]))
            size = len(content[4])
            if size * 16 > self._bytes_max:
                continue
            if len(self._by_content) >= self._entries_max or self._content_bytes + size > self._bytes_max:
                self._by_content.clear()
                self._contents.clear()
                self._content_bytes = 0
            self._by_content[content] = number
            self._contents[number] = content
            self._content_bytes += size

    def get(self, number: int) -> PolicyRecord:
        """What is known of a policy that some job uses."""
        record = self._by_id.get(number)
        if record is None:
            row = self._db.execute("SELECT spec, result_ttl_us FROM policies WHERE id = ?", (number,)).fetchone()
            assert row is not None, f"policy {number} has jobs but no row"
            record = PolicyRecord(row[0], row[1])
            self._remember(number, record)
        return record

    def change_use(self, changes: dict[int, int]) -> None:
        """Add to the number of jobs of each policy; remove those that no job uses any more."""
        self._db.executemany(
            "UPDATE policies SET jobs = jobs + ?2 WHERE id = ?1", ((number, by) for number, by in changes.items() if by)
        )
        fewer = [number for number, by in changes.items() if by <= 0]
        for number in fewer:
            self._db.execute("DELETE FROM policies WHERE id = ? AND jobs <= 0", (number,))
            if self._db.changes():
                self._forget(number)

    def _remember(self, number: int, record: PolicyRecord) -> None:
        size = len(record.spec)
        if len(self._by_id) >= self._entries_max or self._record_bytes + size > self._bytes_max:
            self._by_id.clear()
            self._record_bytes = 0
        self._by_id[number] = record
        self._record_bytes += size

    def _forget(self, number: int) -> None:
        record = self._by_id.pop(number, None)
        if record is not None:
            self._record_bytes -= len(record.spec)
        content = self._contents.pop(number, None)
        if content is not None:
            self._content_bytes -= len(content[4])
            self._by_content.pop(content, None)
