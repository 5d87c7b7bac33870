"""The memory allocator of workers: mimalloc where it is installed, else the C library's.

pdfium makes and frees some ten thousand small objects a page: with glibc that is 13 % of the time of a page, with mimalloc 3.4 a
page takes 10 % less in all (measured over 2,100 pages of manuals). An allocator can only be chosen before a process starts, so
the zygote is started with it, and its workers inherit it. Installed by `pip install ingest[allocator]`; whoever sets LD_PRELOAD
for the server has chosen, and is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from importlib import metadata

DISTRIBUTION = "cmeel-mimalloc"
_LIBRARY = "libmimalloc.so"
_PRELOAD = "LD_PRELOAD"

_OPTIONS = {
    # Memory is asked for as it is used, not in reserve: limits of attempts count private writable memory (child_limits.py).
    "MIMALLOC_ARENA_EAGER_COMMIT": "0",
    "MIMALLOC_ARENA_RESERVE": "65536",  # KiB; the default, 1 GiB, is more than a container may be allowed to map
}


def library() -> str:
    """Where mimalloc's library lies; "" if it is not installed, or not for this system."""
    if sys.platform != "linux":
        return ""
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ""
    paths = [str(file.locate()) for file in files if file.name == _LIBRARY]
    # A path with a space or colon would be read as two.
    return next((path for path in paths if not set(path) & {" ", ":"}), "")


def chosen(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables to add to `environment`, that of the server, for the process that is to run on mimalloc; none if it shall not."""
    path = "" if environment.get(_PRELOAD) else library()
    return {_PRELOAD: path, **_OPTIONS} if path else {}


def forget(environment: MutableMapping[str, str]) -> None:
    """Take out what `chosen` added: programs that handlers start run as they would without."""
    if environment.get(_PRELOAD) and environment[_PRELOAD] == library():
        for name in (_PRELOAD, *_OPTIONS):
            environment.pop(name, None)
