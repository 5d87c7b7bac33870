"""SQLite on a `Disk`: a virtual file system that tells the disk of every write and sync before the real file has it.

The files themselves lie in a folder (best in memory), so that reads and the shared memory of the WAL are SQLite's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import apsw

from ingest_server.store.sqlite import wal
from scripts.faults.disk import BrokenDisk, Disk, PowerLost

_BASE = "unix"
_MAIN = apsw.SQLITE_OPEN_MAIN_DB
_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class DiskVFS(apsw.VFS):
    """The default file system of all connections of this process, until `unregister`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("forgetful", base=_BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        """A database or a journal of one is on the disk; files without a name are of no account after a cut."""
        if name is None or not flags[0] & (_MAIN | _JOURNALS):
            return apsw.VFSFile(_BASE, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk.create(Path(path).name)
        return _DiskFile(self._disk, Path(path).name, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """A journal has served."""
        self._disk.delete(Path(filename).name, sync_names=syncdir)
        super().xDelete(filename, syncdir)


class _DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, short: str, name: Any, flags: list[int]) -> None:
        super().__init__(_BASE, name, flags)
        self._disk = disk
        self._name = short
        # As SQLite's own file system has it: the first sync of a journal opened with leave to make it confirms its name, and
        # with it all others of the directory, so that a journal that was deleted does not come back.
        self._syncs_names = bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.write(self._name, offset, data)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.truncate(self._name, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.sync(self._name)
        if self._syncs_names:
            self._disk.sync_names()
            self._syncs_names = False


class _WalSystem:
    """The part of `os` that `wal.allocate` uses, on the disk."""

    O_RDWR, O_CLOEXEC = os.O_RDWR, os.O_CLOEXEC

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._names: dict[int, str] = {}

    def open(self, path: Path, flags: int) -> int:
        descriptor = os.open(path, flags)
        self._names[descriptor] = path.name
        return descriptor

    def fstat(self, descriptor: int) -> os.stat_result:
        return os.fstat(descriptor)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        with _as_os_errors():
            self._disk.write(self._names[descriptor], offset, data)
        return os.pwrite(descriptor, data, offset)

    def ftruncate(self, descriptor: int, size: int) -> None:
        with _as_os_errors():
            self._disk.truncate(self._names[descriptor], size)
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        with _as_os_errors():
            self._disk.sync(self._names[descriptor])

    def close(self, descriptor: int) -> None:
        del self._names[descriptor]
        os.close(descriptor)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except BrokenDisk as error:
        raise OSError(5, str(error)) from error


@contextmanager
def mounted(disk: Disk) -> Iterator[None]:
    """SQLite in this process, and the room for its log, are on the disk. One at a time, in one thread."""
    system = DiskVFS(disk)

    def unraisable(error: Any) -> None:
        """SQLite itself overlooks some failures, such as that to delete a journal: they are part of the play."""
        if not isinstance(error.exc_value, PowerLost | BrokenDisk):
            sys.__unraisablehook__(error)

    try:
        with mock.patch.object(wal, "os", _WalSystem(disk)), mock.patch.object(sys, "unraisablehook", unraisable):
            yield
    finally:
        system.unregister()
