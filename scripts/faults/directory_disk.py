"""A folder on a disk that forgets: what of its names and bytes a power cut may leave, judged by what `fsync` was called on.

Files are written as usual; only calls of `os` are watched. A call of `fsync` confirms the bytes of a file, or the names of a
directory, as they are at that moment. A cut leaves confirmed bytes, and of others any sectors; of each name that was changed
since its directory was confirmed, the old or the new meaning, each for itself: POSIX promises no more.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from scripts.faults.disk import SECTOR_BYTES

WATCHED = ("fsync", "replace", "rename", "mkdir", "chmod", "utime", "unlink", "open", "write")


class Off(BaseException):
    """The process ends here. Not an Exception, so that nobody goes on."""


class DirectoryDisk:
    """What is certain of a folder. On entry all that is in it is.

    Args:
        root: the folder; exists. On a file system that gives no inode number twice, such as a tmpfs: files are known by them.
        chance: decides what survives.
    """

    def __init__(self, root: Path, chance: random.Random) -> None:
        self._root = root
        self._chance = chance
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._folders: set[int] = set()
        self.steps = 0
        self.end_at: int | None = None
        self.dead = False
        for folder, _, files in os.walk(root):
            self._confirm_names(folder)
            for name in files:
                path = Path(folder) / name
                self._bytes[path.stat().st_ino] = path.read_bytes()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Calls of `os` count as steps, at any of which the process may end."""
        with ExitStack() as stack:
            for name in WATCHED:
                stack.enter_context(mock.patch.object(os, name, self._watch(name, getattr(os, name))))
            yield

    def image(self, into: Path) -> None:
        """Write what a power cut leaves now to another folder."""
        present = {path.stat().st_ino: path for path in self._root.rglob("*") if path.is_file()}
        self._write_folder(self._root, self._root.stat().st_ino, into, present)

    def _watch(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            if self.dead:
                raise Off
            self.steps += 1
            if self.end_at is not None and self.steps >= self.end_at:
                self.dead = True
                raise Off
            answer = call(*arguments, **named)
            if name == "fsync":
                self._confirm(arguments[0])
            return answer

        return watched

    def _confirm(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._confirm_names(descriptor)
        else:
            self._confirm_bytes(descriptor, found)

    def _confirm_bytes(self, descriptor: int, found: os.stat_result) -> None:
        self._bytes[found.st_ino] = os.pread(descriptor, found.st_size, 0)

    def _confirm_names(self, folder: str | int) -> None:
        with os.scandir(folder) as entries:
            known = {entry.name: entry for entry in entries}
        number = os.stat(folder).st_ino
        self._names[number] = {name: entry.inode() for name, entry in known.items()}
        self._folders |= {number, *(entry.inode() for entry in known.values() if entry.is_dir())}

    def _write_folder(self, path: Path | None, number: int, into: Path, present: dict[int, Path]) -> None:
        into.mkdir()
        now: dict[str, os.DirEntry[str]] = {}
        if path is not None:
            with os.scandir(path) as entries:
                now = {entry.name: entry for entry in entries}
        synced = self._names.get(number, {})
        for name in sorted(now.keys() | synced.keys()):
            entry = now.get(name)
            inode = self._chance.choice([synced.get(name), entry.inode() if entry is not None else None])
            if inode is None:
                continue
            if inode in self._folders or (entry is not None and entry.is_dir()):
                self._write_folder(path / name if path and name in now else None, inode, into / name, present)
            else:
                (into / name).write_bytes(self._survivor(inode, present.get(inode)))

    def _survivor(self, inode: int, path: Path | None) -> bytes:
        synced = self._bytes.get(inode)
        now = path.read_bytes() if path is not None else b""
        if synced == now or (path is None and synced is not None):
            return synced or b""
        left = bytearray((synced or b"").ljust(len(now), b"\0"))
        for start in range(0, len(now), SECTOR_BYTES):
            if self._chance.random() < 0.5:
                left[start : start + SECTOR_BYTES] = now[start : start + SECTOR_BYTES]
        return bytes(left[: self._chance.choice([len(synced or b""), len(now), self._chance.randint(0, len(now))])])
