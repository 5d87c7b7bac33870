"""Opens files below allowed folders, and proves that what was opened lies there, whatever happens to the path meanwhile.

The path is first resolved: symbolic links may lead anywhere below any root. The result is then walked part by part, from the open
root, following no link: a part that has become one since ends the walk. So the file that is read was found below the root through
real folders only. It is first opened as a mere reference (O_PATH), which waits for no writer of a pipe and wakes no device, and
read only if it is a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.sources.failures import forbidden, not_found, shown, unavailable, unusable
from ingest_server.handlers.sources.opened import OpenedSource

WALKS_MAX = 3
"""Times a path that changes under the walk is resolved anew; who changes it so often means harm."""
_REFERENCE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class _PathChanged(Exception):
    """A part of a resolved path is a link now, or gone."""


@contextmanager
def open_file(uri: str, path: str, roots: Sequence[str]) -> Iterator[OpenedSource]:
    """Open a file.

    Args:
        uri: that names it; for errors.
        path: absolute.
        roots: absolute paths of the folders it may lie in, itself or what its links lead to.

    Raises:
        HandlerFailure: SOURCE_NOT_FOUND, SOURCE_FORBIDDEN (outside the roots, or unreadable), SOURCE_UNUSABLE (no regular file),
            or SOURCE_UNAVAILABLE (the disk fails, or path or file change meanwhile).
    """
    try:
        reference = _reference(uri, path, roots)
        try:
            found = os.fstat(reference)
            if not stat.S_ISREG(found.st_mode):
                raise unusable(f"{shown(uri)} is not a regular file; folders, pipes and devices are not read")
            # Through the reference, so it is the very file that was looked at. O_NONBLOCK, O_NOCTTY: for files that only look it.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(f"/proc/self/fd/{reference}", flags)
        finally:
            os.close(reference)
    except OSError as error:
        raise _told(uri, error) from error
    with open(descriptor, "rb", buffering=0) as file:

        def read_into(window: memoryview) -> int:
            try:
                count = file.readinto(window) or 0
                now = os.fstat(file.fileno()) if not count else found
            except OSError as error:
                raise _told(uri, error) from error
            if (now.st_size, now.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
                raise unavailable(f"{shown(uri)} was changed while it was read")
            return count

        name = os.fsencode(os.path.basename(path)).decode("utf-8", "replace")
        yield OpenedSource(name, "", found.st_size, read_into)


def _reference(uri: str, path: str, roots: Sequence[str]) -> int:
    """A descriptor that refers to what the path leads to, which lies below a root. Raises OSError, HandlerFailure."""
    for _ in range(WALKS_MAX):
        resolved = os.path.realpath(path)
        for root in map(os.path.realpath, roots):
            if resolved.startswith(root if root == "/" else root + "/"):
                break
        else:
            # The same whether or not anything is there: links below a root must not tell what exists elsewhere.
            raise forbidden(f"{shown(uri)} leads outside the folders that this server may read (source_roots)")
        try:
            return _walk(root, resolved[len(root) :].strip("/").split("/"))
        except _PathChanged:
            continue
    raise unavailable(f"{shown(uri)} cannot be followed: its path changes meanwhile, or its links form a circle")


def _walk(root: str, parts: Sequence[str]) -> int:
    """A descriptor that refers to the end of a path of real folders. Raises OSError, _PathChanged."""
    place = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, part in enumerate(parts, start=1):
        try:
            below = os.open(part, _REFERENCE, dir_fd=place)
        finally:
            os.close(place)
        place = below
        mode = os.fstat(place).st_mode
        if stat.S_ISLNK(mode):
            os.close(place)
            raise _PathChanged
        if number < len(parts) and not stat.S_ISDIR(mode):
            os.close(place)
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return place


def _told(uri: str, error: OSError) -> HandlerFailure:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return not_found(f"{shown(uri)} does not exist on the server's machine")
    if error.errno in (errno.EACCES, errno.EPERM):
        return forbidden(f"{shown(uri)} may not be read by the server's user: {error.strerror}")
    return unavailable(f"{shown(uri)} cannot be read: {error.strerror}")
