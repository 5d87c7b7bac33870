"""The names of the queues, at hand for every submit: read from the store once, and again when a commit changed them."""

from __future__ import annotations

from ingest_server.store.interface import JobStore
from ingest_server.store.records import Changes


class QueueTable:
    """Listens to the store; `names` reads it again only after a change."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._names: frozenset[str] | None = None
        self._changes = 0
        store.subscribe(self.on_changes)

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        if changes.queue_config:
            self._names = None
            self._changes += 1

    async def names(self) -> frozenset[str]:
        """Names of all queues."""
        names = self._names
        if names is None:
            seen = self._changes
            names = frozenset(row.name for row in await self._store.queues())
            if seen == self._changes:  # else a change came while it was read, which it may not show
                self._names = names
        return names
