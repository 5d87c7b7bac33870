"""Content-addressed files: what workers and the blob store of the server share, a directory and its layout.

Layout: `<dir>/<first 2 hex>/<next 2 hex>/<64 hex>`, temporary files in `<dir>/tmp`. A file under its
digest is whole and on disk: it was written aside, fsynced, renamed, and the directory fsynced.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

COPY_BYTES = 1_024 * 1_024
CONFIRMED_FOLDERS_MAX = 100_000
"""A hundred bytes each; all that blobs can have are 65,792. Beyond, they are forgotten and synced again."""


class BlobFiles:
    """Implements `handlers.blobs.BlobAccess`.

    Args:
        directory: root of the blobs; made when first written to.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._temporary = directory / "tmp"
        self._confirmed: set[Path] = set()

    def put_bytes(self, data: bytes) -> bytes:
        """See `BlobAccess.put_bytes`."""
        digest = hashlib.sha256(data).digest()
        if self.renew(digest):
            self.confirm(self.path_of(digest))
        else:
            with self._new_file() as file:
                file.write(data)
                self._publish(file, digest)
        return digest

    def put_file(self, path: Path) -> tuple[bytes, int]:
        """See `BlobAccess.put_file`. The file is read once: what is hashed is what is kept, even if it changes meanwhile."""
        hasher = hashlib.sha256()
        size_bytes = 0
        with path.open("rb") as source, self._new_file() as file:
            while piece := source.read(COPY_BYTES):
                hasher.update(piece)
                file.write(piece)
                size_bytes += len(piece)
            digest = hasher.digest()
            if self.renew(digest):
                self.confirm(self.path_of(digest))
            else:
                self._publish(file, digest)
        return digest, size_bytes

    def path_of(self, digest: bytes) -> Path:
        """See `BlobAccess.path_of`."""
        text = digest.hex()
        return self._directory / text[:2] / text[2:4] / text

    def renew(self, digest: bytes) -> bool:
        """Whether the blob is there. Its time is renewed, so that a sweep by age does not take what was just wanted again."""
        try:
            os.utime(self.path_of(digest))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _new_file(self) -> Iterator[IO[bytes]]:
        """A file to write, removed unless it was published. What a killed worker leaves is swept by age with the uploads."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._temporary, prefix="worker-", delete=False) as file:
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)

    def _publish(self, file: IO[bytes], digest: bytes) -> None:
        file.flush()
        self.publish(Path(file.name), file.fileno(), digest)

    def publish(self, written: Path, descriptor: int, digest: bytes) -> None:
        """Make a file that lies on the same file system the blob of that digest: fsync, rename, fsync of the directories."""
        os.fsync(descriptor)
        target = self.path_of(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(written, 0o444)
        os.replace(written, target)
        self.confirm(target)

    def confirm(self, path: Path) -> None:
        """Bring the name of a file in `directory` to the disk, and those of the folders it lies in.

        Also for a name that was found there: whoever made it, or its folder, may have been killed before the sync, or be about to
        do it. A folder is never removed, so each is looked after once.
        """
        folder = path.parent
        sync_directory(folder)
        if len(self._confirmed) >= CONFIRMED_FOLDERS_MAX:
            self._confirmed.clear()
        while folder not in self._confirmed and folder != self._directory.parent:
            sync_directory(folder.parent)
            self._confirmed.add(folder)
            folder = folder.parent


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk (fsync)."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
