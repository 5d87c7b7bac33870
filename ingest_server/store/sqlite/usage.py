"""How many job rows use each group and each policy: known exactly in memory, brought up to date in the file from time to time.

The numbers in the file count the rows up to `counters.counted_seq`. Rows behind it are counted when the file is opened, and rows
are removed only by transactions that write the numbers too: so they are exact after any crash, and an accepted job costs neither
statement nor page.
"""

from __future__ import annotations

import apsw

from ingest_server.store.sqlite.policies import Policies

UNCOUNTED_ROWS_MAX = 100_000
"""Rows that are counted anew at a start: 20 ms."""


class Usage:
    """The changes that the file does not have yet.

    Args:
        db: connection of the writer.
        policies: told when one of them is used no more.
    """

    def __init__(self, db: apsw.Connection, policies: Policies) -> None:
        self._db = db
        self._policies = policies
        self._groups: dict[int, int] = {}
        self._of_policies: dict[int, int] = {}
        self._counted_seq = 0
        self._fewer = False

    def load(self) -> dict[int, int]:
        """Count the rows that the file has not counted. Answers them by group."""
        row = self._db.execute("SELECT counted_seq FROM counters WHERE id = 1").fetchone()
        assert row is not None, "the row of counters is made with the schema"
        self._counted_seq = row[0]
        self._groups, self._of_policies, self._fewer = {}, {}, False
        query = "SELECT grp, policy, count(*) FROM jobs WHERE seq > ? GROUP BY grp, policy"
        for group, policy, count in self._db.execute(query, (self._counted_seq,)):
            self.change(group, policy, count)
        return dict(self._groups)

    def change(self, group: int, policy: int, by: int) -> None:
        """Rows were added or removed."""
        self._groups[group] = self._groups.get(group, 0) + by
        self._of_policies[policy] = self._of_policies.get(policy, 0) + by
        self._fewer = self._fewer or by < 0

    def due(self, next_seq: int) -> bool:
        """Whether this transaction has to write: it removed rows, or too many are not counted."""
        return self._fewer or next_seq - 1 - self._counted_seq > UNCOUNTED_ROWS_MAX

    def write(self, next_seq: int) -> None:
        """Bring the file up to date."""
        changes = [(group, by) for group, by in self._groups.items() if by]
        self._db.executemany("UPDATE groups SET jobs = jobs + ?2 WHERE number = ?1", changes)
        self._policies.change_use(self._of_policies)
        self._counted_seq = next_seq - 1
        self._db.execute("UPDATE counters SET counted_seq = ? WHERE id = 1", (self._counted_seq,))
        self._groups, self._of_policies, self._fewer = {}, {}, False
