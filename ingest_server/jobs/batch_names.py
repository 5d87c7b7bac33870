"""Ids of batches by their numbers: events name a batch by its number, people by its id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from ingest_server.store.interface import JobStore

NAMES_MAX = 50_000
"""Batches remembered, the least recently asked for are forgotten first; about 200 bytes each."""


class BatchNames:
    """A bounded memory of batch ids, filled from the store."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._names: OrderedDict[int, bytes] = OrderedDict()

    def of(self, number: int) -> bytes:
        """The 16-byte id of a batch; b"" if it is not remembered."""
        return self._names.get(number, b"")

    def remember(self, number: int, batch_id: bytes) -> None:
        """Keep what is known anyway."""
        self._names[number] = batch_id
        self._names.move_to_end(number)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    async def learn(self, numbers: Iterable[int]) -> None:
        """Make sure that `of` knows these batches, those that were deleted excepted."""
        unknown = [number for number in set(numbers) if number not in self._names]
        if unknown:
            for number, batch_id in (await self._store.batch_ids(unknown)).items():
                self.remember(number, batch_id)
