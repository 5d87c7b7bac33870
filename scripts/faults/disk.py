"""A disk that forgets what was not synced: what is certain to be on it, what is under way, and what a power cut may leave.

The rules are those of POSIX, not of one file system, so that nothing relies on a kindness of ext4:

- What `fsync` of a file has confirmed is on the disk. Of each 512-byte sector written since, the disk holds any of the versions
  it had since then, whatever the order of the writes; rarely a mixture, torn in its middle.
- A file has any of the sizes it had since; what it gained without being written is zeros or rubbish.
- A name appears, disappears, or changes its file when its directory is synced; until then it may have, each for itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

MEMORY = Path("/dev/shm")
"""A tmpfs on Linux: what is simulated need not wait for a disk."""
SECTOR_BYTES = 512
TORN_SHARE = 0.05
"""Of the sectors in doubt. Disks promise whole sectors, and mostly keep it."""


class PowerLost(apsw.IOError):
    """The machine has no power. Whatever is done to the disk from now on does nothing."""


class BrokenDisk(apsw.IOError):
    """One operation failed; the next may succeed."""


@dataclass(slots=True)
class File:
    """What is certain of one file, and what is under way.

    Attributes:
        synced: its bytes at the last sync.
        under_way: writes since, in order: (offset, bytes); (size, None) for a truncation.
    """

    synced: bytearray = field(default_factory=bytearray)
    under_way: list[tuple[int, bytes | None]] = field(default_factory=list)


class Disk:
    """Files of one directory.

    Args:
        chance: decides what survives a cut.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.names: dict[str, File] = {}
        self._synced_names: dict[str, File] = {}
        self.steps = 0
        self.cut_at: int | None = None
        self.break_at: int | None = None
        self.dead = False
        self.writes_in_doubt = 0

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Bytes are handed to the operating system."""
        self._step()
        self.names[name].under_way.append((offset, bytes(data)))

    def truncate(self, name: str, size: int) -> None:
        """A file is cut short."""
        self._step()
        self.names[name].under_way.append((size, None))

    def sync(self, name: str) -> None:
        """A file is brought to the disk. When that fails, what had not reached the disk never will: the system has marked it as
        written (as Linux does), and a later sync says nothing of it."""
        file = self.names[name]
        try:
            self._step()
        except BrokenDisk:
            file.synced = self._survivor(file)
            file.under_way.clear()
            raise
        file.synced = _applied(file.synced, file.under_way)
        file.under_way.clear()

    def create(self, name: str) -> None:
        """A file is made, or opened if it is there."""
        if name not in self.names:
            self._step()
            self.names[name] = File()

    def delete(self, name: str, *, sync_names: bool) -> None:
        """A name is removed."""
        self._step()
        self.names.pop(name, None)
        if sync_names:
            self.sync_names()

    def sync_names(self) -> None:
        """The directory is brought to the disk."""
        self._synced_names = dict(self.names)

    def cut(self) -> dict[str, bytes]:
        """The power fails now. Answers what the disk holds when it is back, which is what this disk has from now on."""
        self.dead = True
        left: dict[str, File] = {}
        for name in sorted(self._synced_names.keys() | self.names.keys()):
            file = self._chance.choice([self._synced_names.get(name), self.names.get(name)])
            if file is not None:
                self.writes_in_doubt += len(file.under_way)
                left[name] = File(self._survivor(file))
        self.names = left
        self._synced_names = dict(left)
        return {name: bytes(file.synced) for name, file in left.items()}

    def power_on(self) -> None:
        """The machine starts again."""
        self.dead, self.cut_at, self.break_at = False, None, None

    def _step(self) -> None:
        if self.dead:
            raise PowerLost("the power is off")
        self.steps += 1
        if self.cut_at is not None and self.steps >= self.cut_at:
            self.dead = True
            raise PowerLost("the power was cut")
        if self.break_at is not None and self.steps >= self.break_at:
            self.break_at = None
            raise BrokenDisk("input/output error")

    def _survivor(self, file: File) -> bytearray:
        """What is left of a file: chosen sector by sector."""
        chance = self._chance
        if not file.under_way:
            return bytearray(file.synced)
        fate = chance.choice(_FATES)
        sizes = [len(file.synced)]
        versions: dict[int, list[bytes]] = {}
        now = bytearray(file.synced)
        for offset, data in file.under_way:
            before = len(now)
            now = _applied(now, [(offset, data)])
            sizes.append(len(now))
            first, end = (offset, offset + len(data)) if data is not None else (offset, before)
            for sector in range(first // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
                start = sector * SECTOR_BYTES
                held = versions.setdefault(sector, [_sector(file.synced, start)])
                held.append(_sector(now, start))
        left = bytearray(file.synced)
        for sector, held in versions.items():
            kept = held[fate(chance, len(held))]
            if chance.random() < TORN_SHARE:
                at, other = chance.randrange(SECTOR_BYTES), chance.choice(held)
                kept = kept[:at] + other[at:]
            _put(left, sector * SECTOR_BYTES, kept, chance)
        size = max(chance.choice(sizes), 0)
        if len(left) < size:
            left.extend(bytes(size - len(left)))
        del left[size:]
        return left


_FATES: tuple[Callable[[random.Random, int], int], ...] = (
    lambda _, versions: 0,  # nothing has reached the disk
    lambda _, versions: versions - 1,  # all of it
    lambda chance, versions: chance.randrange(versions),  # any of it
    lambda chance, versions: versions - 1 if chance.random() < 0.9 else chance.randrange(versions),  # most of it
    lambda chance, versions: 0 if chance.random() < 0.9 else chance.randrange(versions),  # little of it
)


def _applied(content: bytearray, writes: list[tuple[int, bytes | None]]) -> bytearray:
    """The content after these writes; the one handed in may be changed."""
    for offset, data in writes:
        if data is None:
            del content[offset:]
            continue
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
    return content


def _sector(content: bytearray, start: int) -> bytes:
    return bytes(content[start : start + SECTOR_BYTES]).ljust(SECTOR_BYTES, b"\0")


def _put(content: bytearray, offset: int, data: bytes, chance: random.Random) -> None:
    """Write a sector; a hole before it holds zeros or rubbish."""
    if len(content) < offset:
        gap = offset - len(content)
        content.extend(chance.randbytes(gap) if chance.random() < 0.5 else bytes(gap))
    content[offset : offset + len(data)] = data
