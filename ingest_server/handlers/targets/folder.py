"""Files below a folder that the operator has allowed: symbolic links lead nowhere else, and every file appears whole.

A file is written aside, in `.ingest-parts` of the target, brought to the disk, and renamed to its place. What a killed attempt
has left there is removed by the next attempt of its job, and by anybody after a day.

**Links.** The path is resolved first, and refused if that leads out of the allowed folders. Then it is walked from the root of
the file system step by step, each opened relative to the one before and none through a link, so that a link which somebody puts
there meanwhile is met by a failure, not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.errors import Code
from ingest_server.domain.store_target import StoreRules
from ingest_server.handlers.targets.failures import unusable
from ingest_server.handlers.targets.interface import Place, Writing

PARTS_FOLDER = ".ingest-parts"
PARTS_LOOKED_AT_MAX = 1_000
"""Files in `.ingest-parts` looked at when one is written: there are as many as workers, and what crashes have left."""
PART_AGE_US_MAX = 86_400 * 1_000_000
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def resolved(path: str, rules: StoreRules) -> str:
    """A path without symbolic links.

    Args:
        path: absolute.
        rules: resolved too.

    Raises:
        HandlerFailure: STORE_TARGET_UNUSABLE if it leads out of the allowed folders.
    """
    real = os.path.realpath(path)
    if not rules.holds(real):
        raise unusable(
            f"The target {path} leads to {real} by a symbolic link, which is not allowed by the server's store_targets.",
            code=Code.PERMISSION_DENIED,
        )
    return real


@contextmanager
def opened_folder(real: str, rules: StoreRules) -> Iterator[int]:
    """A descriptor of a folder, for `dir_fd`; folders that are missing below an allowed one are made.

    Args:
        real: absolute, from `resolved`.
        rules: tell which folders may be made; resolved too.

    Raises:
        OSError: a step is missing, no folder, or a link.
    """
    present = os.open("/", _WALK)
    try:
        walked = ""
        for step in real.strip("/").split("/") if real != "/" else ():
            walked += f"/{step}"
            if rules.holds(os.path.dirname(walked)):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, dir_fd=present)
            following = os.open(step, _WALK, dir_fd=present)
            os.close(present)
            present = following
        yield present
    finally:
        os.close(present)


class FolderPlace(Place):
    """A folder of the file system.

    Args:
        path: of the folder, absolute; made when it is written to.
        rules: where writing is allowed.
        clock: tells the age of what was left behind.
    """

    def __init__(self, path: str, rules: StoreRules, *, clock: Clock | None = None) -> None:
        self._path = path
        self._rules = rules
        self._clock = clock or SystemClock()

    def put(self, name: str, media_type: str, write: Callable[[BinaryIO], None], writing: Writing) -> None:
        """See `Place.put`. On return the file and its name are on disk (fsync)."""
        folder, _, base = f"{self._path}/{name}".rpartition("/")
        rules = self._rules.resolved()
        real, root = resolved(folder, rules), resolved(self._path, rules)
        with opened_folder(f"{root}/{PARTS_FOLDER}", rules) as parts, opened_folder(real, rules) as place:
            self._remove_left(parts, writing.job_id)
            part = f"{writing.job_id}-{secrets.token_hex(8)}"
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with open(os.open(part, flags, 0o666, dir_fd=parts), "wb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(part, base, src_dir_fd=parts, dst_dir_fd=place)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part, dir_fd=parts)
                raise
            _sync(place)

    def _remove_left(self, parts: int, job_id: str) -> None:
        """Remove what an earlier attempt of this job has left, and what is older than a day."""
        oldest_us = self._clock.now_us() - PART_AGE_US_MAX
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parts)
        try:
            with os.scandir(readable) as entries:
                for _, entry in zip(range(PARTS_LOOKED_AT_MAX), entries, strict=False):
                    with contextlib.suppress(OSError):  # its writer was quicker
                        found = os.stat(entry.name, dir_fd=parts, follow_symlinks=False)
                        old = found.st_mtime_ns // 1_000 < oldest_us
                        if stat.S_ISREG(found.st_mode) and (old or entry.name.startswith(f"{job_id}-")):
                            os.unlink(entry.name, dir_fd=parts)
        finally:
            os.close(readable)


def _sync(place: int) -> None:
    """Bring the names in a folder to the disk. File systems that cannot (some over a network) say so, and do it otherwise."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    try:
        os.fsync(readable)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(readable)
