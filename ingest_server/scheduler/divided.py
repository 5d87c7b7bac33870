"""One job in parts: how its parts ended, and how far it is."""

from __future__ import annotations

import asyncio

from ingest_server.handlers import part_orders
from ingest_server.handlers.part_orders import MergeHead, PartEnd, SplitOrder
from ingest_server.scheduler.inflight import InFlight


class DividedJob:
    """A job whose parts run.

    Args:
        seq: its row number.
        attempt: that divided it, and that merges.
        order: the parts.
    """

    def __init__(self, seq: int, attempt: InFlight, order: SplitOrder) -> None:
        self.seq = seq
        self.attempt = attempt
        self.order = order
        self.payload = b""
        self.deadline_us = 0
        self.all_ended = asyncio.Event()
        self._ends: list[PartEnd | None] = [None] * len(order.parts)
        self._left = len(order.parts)
        self._shares: dict[int, float] = {}
        self._units = 0
        self._units_total = sum(part.units for part in order.parts)

    def take_end(self, index: int, output: bytes, failure: bytes) -> bool:
        """A part has ended, well if `failure` is empty. Answers whether that is news."""
        if self._ends[index] is not None:
            return False
        units = self.order.parts[index].units
        self._ends[index] = PartEnd(output, failure, units)
        self._shares.pop(index, None)
        self._units += units
        self._left -= 1
        if not self._left:
            self.all_ended.set()
        return True

    def take_progress(self, index: int, progress: bytes) -> bytes:
        """A part has come so far. Answers the progress of the job."""
        if self._ends[index] is None:
            self._shares[index] = part_orders.share_done(progress) * self.order.parts[index].units
        return self.progress()

    def progress(self) -> bytes:
        """How far the job is. `_shares` has an entry for each part that runs: as many as there are workers."""
        done = self._units + int(sum(self._shares.values()))
        return part_orders.progress(done, self._units_total, self.order.unit)

    def merge_payload(self) -> bytes:
        """What the merge is given. All parts have ended."""
        ends = [end for end in self._ends if end is not None]
        head = MergeHead(self.order.state, self.order.unit, ends)
        return part_orders.merge_payload(head, self.order.given or self.payload)
