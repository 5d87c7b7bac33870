"""Where the task store may write, and in what form: targets as jobs name them, and the places that the operator has allowed.

A target is a file of SQLite, or a folder (of a file system or of S3) of which each document has files of its own. Folders named
`out.jsonl` or `out.parquet` are what tools that read such data sets expect, so the suffix chooses the format there too.

Everything here is decided from the text of a target alone. What symbolic links make of a path is asked by whoever opens it.
"""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import unquote

from ingest_server.domain.s3_address import S3Address, parse_s3_uri

TARGET_BYTES_MAX = 2_048
"""job.proto, StoreTask.target_uri."""
DOCUMENT_KEY_BYTES_MAX = 1_024
"""job.proto, StoreTask.document_key."""
_FORM = "must be sqlite:///PATH, file:///PATH or s3://BUCKET/PREFIX"


class StoreFormat(IntEnum):
    """The values of `StoreFormat` in job.proto; a test proves them equal."""

    UNSPECIFIED = 0
    SQLITE = 1
    JSONL = 2
    PARQUET = 3
    JSON = 4


_SUFFIXES = {
    ".sqlite": StoreFormat.SQLITE,
    ".sqlite3": StoreFormat.SQLITE,
    ".db": StoreFormat.SQLITE,
    ".jsonl": StoreFormat.JSONL,
    ".ndjson": StoreFormat.JSONL,
    ".parquet": StoreFormat.PARQUET,
}


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A target, read.

    Attributes:
        format: never UNSPECIFIED.
        path: absolute, without "." and ".."; "" for S3.
        address: the prefix in S3; None for a path.
    """

    format: StoreFormat
    path: str = ""
    address: S3Address | None = None

    def __str__(self) -> str:
        return str(self.address) if self.address is not None else self.path


def parse_store_target(uri: str, chosen: int = StoreFormat.UNSPECIFIED) -> StoreTarget:
    """Read the target of a StoreTask.

    Args:
        uri: `sqlite:///PATH`, `file:///PATH` or `s3://BUCKET/PREFIX`; in paths %XX stands for a byte.
        chosen: the format; UNSPECIFIED: that of the suffix, or else JSON.

    Raises:
        ValueError: what is wrong, to be read after the name of the field.
    """
    if not uri:
        raise ValueError(f"{_FORM}, not ''")
    if len(uri.encode("utf-8", "surrogatepass")) > TARGET_BYTES_MAX:
        raise ValueError(f"must have at most {TARGET_BYTES_MAX:,} bytes")
    if chosen not in StoreFormat.__members__.values():
        raise ValueError(f"must go with a format of StoreFormat, not {chosen}")
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("sqlite", "file", "s3"):
        raise ValueError(f"{_FORM}, not {uri[:80]!r}")
    if scheme == "s3":
        return _in_s3(uri, StoreFormat(chosen))
    path = _path(rest, uri)
    found = StoreFormat(chosen) or (StoreFormat.SQLITE if scheme == "sqlite" else _by_suffix(path))
    if scheme == "sqlite" and found is not StoreFormat.SQLITE:
        raise ValueError(f"names a database by sqlite://, but the format is {found.name}: use file:// or leave the format out")
    return StoreTarget(found, path)


def _in_s3(uri: str, chosen: StoreFormat) -> StoreTarget:
    address = parse_s3_uri(uri)
    found = chosen or _by_suffix(address.key)
    if found is StoreFormat.SQLITE:
        raise ValueError("asks for SQLite in S3, which has objects, not files that change: choose jsonl, parquet or json")
    return StoreTarget(found, address=address)


def _path(rest: str, uri: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise ValueError(f"must have an absolute path after three slashes, such as file:///data/out, not {uri[:80]!r}")
    if "?" in path or "#" in path:
        raise ValueError("must write ? and # of a path as %3F and %23")
    try:
        path = "/" + unquote(path, errors="strict").strip("/")
        path.encode()
    except UnicodeError as error:
        raise ValueError("must be UTF-8") from error
    if not path.isprintable():
        raise ValueError("must not hold control characters")
    if any(step in ("", ".", "..") for step in path[1:].split("/")):
        raise ValueError(f"must not hold empty steps, '.' or '..', nor be the root: {uri[:80]!r}")
    return path


def _by_suffix(path: str) -> StoreFormat:
    return _SUFFIXES.get(os.path.splitext(path.rstrip("/"))[1].lower(), StoreFormat.JSON)


class StoreRules:
    """Which targets are allowed.

    Args:
        allowed: folders, absolute or relative to the present one, as paths or `file://` URIs; and `s3://BUCKET/PREFIX`.
        closed: folders that stay closed although they lie below an allowed one, such as the server's own data.

    Raises:
        ValueError: an entry that is neither; the message names it.
    """

    def __init__(self, allowed: Sequence[str] = (), *, closed: Sequence[str] = ()) -> None:
        self.folders: tuple[str, ...] = tuple(_folder(entry) for entry in allowed if not entry.startswith("s3://"))
        self.closed: tuple[str, ...] = tuple(_folder(entry) for entry in closed)
        self._prefixes = tuple(parse_s3_uri(entry) for entry in allowed if entry.startswith("s3://"))

    @property
    def enabled(self) -> bool:
        """Whether anything is allowed."""
        return bool(self.folders or self._prefixes)

    def check(self, target: StoreTarget) -> None:
        """Raise ValueError, to be read after the name of the field, if the target is not allowed by its text."""
        if target.address is not None:
            allowed = any(prefix.holds(target.address) for prefix in self._prefixes)
        else:
            allowed = self.holds(target.path)
        if not allowed:
            raise ValueError(f"names {str(target)!r}, which lies below none of the places that this server's store_targets allow")

    def holds(self, path: str) -> bool:
        """Whether an absolute path without "." and ".." lies in an allowed folder, and in no closed one."""
        return any(_below(path, folder) for folder in self.folders) and not any(_below(path, folder) for folder in self.closed)

    def resolved(self) -> StoreRules:
        """The same rules with what the folders' own symbolic links lead to at this moment: for paths that are resolved too."""
        rules = StoreRules()
        rules.folders = tuple(map(os.path.realpath, self.folders))
        rules.closed = tuple(map(os.path.realpath, self.closed))
        return rules


def _folder(entry: str) -> str:
    if entry.startswith("file://"):
        return _path(entry.removeprefix("file://"), entry)
    if not entry or "://" in entry or not entry.isprintable():
        raise ValueError(f"{entry!r} is neither a folder nor s3://BUCKET/PREFIX")
    return os.path.abspath(entry)


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
