"""The page that a worker shares with the server: which attempts are in the handlers' hands right now, and since when.

No message could tell that as well: at a sudden death the page stays as it was. One slot per attempt that may run at once. Slot 0
is for sync handlers and names the last one until its outcome is sent; the others are for async ones. A slot is (seq, lease,
start in nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share, generation); generation 0 means empty.

The worker writes a slot with one `pack_into`, which first clears it and then fills it from front to back, so the generation comes
last. The server reads generation, slot, generation: equal and not 0 means that the slot is whole. A torn read looks empty; the
server looks again later. Of a dead worker every read is whole.
"""

from __future__ import annotations

import mmap
import os
from struct import Struct

from ingest_server.engines.local.frames import Key

SLOT = Struct("<qqqq")
_GENERATION = Struct("<q")
_GENERATION_OFFSET = 24


def create_page(slots: int) -> int:
    """Make an empty page for so many slots. Answers its file descriptor, which the caller closes."""
    fd = os.memfd_create("ingest-worker-page", os.MFD_CLOEXEC)
    os.ftruncate(fd, slots * SLOT.size)
    return fd


class SharedPage:
    """A mapped page.

    Args:
        fd: of `create_page`; may be closed afterwards.
        slots: as at its making.
    """

    def __init__(self, fd: int, slots: int) -> None:
        self._slots = slots
        self._map = mmap.mmap(fd, slots * SLOT.size)
        self._generation = 0

    def enter(self, slot: int, key: Key, start_ns: int) -> None:
        """Say that this attempt is in its handler's hands from now on. Worker only."""
        self._generation += 1
        SLOT.pack_into(self._map, slot * SLOT.size, key[0], key[1], start_ns, self._generation)

    def leave(self, slot: int) -> None:
        """Say that the slot's attempt has ended. Worker only."""
        _GENERATION.pack_into(self._map, slot * SLOT.size + _GENERATION_OFFSET, 0)

    def entered(self) -> dict[Key, int]:
        """Attempts in the handlers' hands, with the moment each was entered (ns). Server only."""
        found: dict[Key, int] = {}
        for offset in range(0, self._slots * SLOT.size, SLOT.size):
            (before,) = _GENERATION.unpack_from(self._map, offset + _GENERATION_OFFSET)
            if before:
                seq, lease, start_ns, after = SLOT.unpack_from(self._map, offset)
                if before == after:
                    found[(seq, lease)] = start_ns
        return found

    def close(self) -> None:
        """Give the mapping back."""
        self._map.close()
