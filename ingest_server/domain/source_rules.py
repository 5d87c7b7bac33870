"""Which URIs a job's input may be fetched from: files below allowed folders, hosts on an allow-list, allowed buckets of S3.

As with callbacks, two questions are asked at different times: a URI's text is looked at when a job is accepted, and again before
every fetch; the address that a connection is about to be made to, and the file that was opened, are looked at by who fetches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ingest_server.domain.destination import DestinationRules, Endpoint, check_length, is_plain
from ingest_server.domain.s3_address import S3Address, parse_s3_uri

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31}):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class SchemeNotOffered(ValueError):
    """The URI may be a good one, but nothing of its scheme is fetched by this server.

    Attributes:
        scheme: without its colon.
    """

    def __init__(self, scheme: str, offered: Sequence[str]) -> None:
        super().__init__(f"has the scheme {scheme!r}; this server fetches {', '.join(offered) or 'nothing by URI'}")
        self.scheme = scheme


class FileLocation(NamedTuple):
    """A file URI that is allowed, taken apart.

    Attributes:
        path: absolute, below a root as the settings spell it, without "." and "..". Bytes that are no UTF-8 are surrogates.
    """

    path: str


class SourceRules:
    """The rules of one server.

    Args:
        roots: absolute paths of folders below which files may be read.
        hosts, networks: see `DestinationRules`.
        buckets: `s3://BUCKET` or `s3://BUCKET/PREFIX`.

    Raises:
        ValueError: an entry cannot be understood; names the entry.
    """

    def __init__(
        self,
        roots: Sequence[str] = (),
        hosts: Sequence[str] = (),
        networks: Sequence[str] = (),
        buckets: Sequence[str] = (),
    ) -> None:
        self.roots = tuple(map(_root, roots))
        self.destinations = DestinationRules("source", hosts, networks)
        self._buckets = tuple(map(parse_s3_uri, buckets))
        on = {"file": self.roots, "s3": self._buckets, **dict.fromkeys(self.destinations.schemes, True)}
        self.schemes: tuple[str, ...] = tuple(sorted(scheme for scheme, given in on.items() if given))
        """Schemes of which something may be fetched."""

    def check(self, uri: str) -> FileLocation | S3Address | Endpoint:
        """Take a URI apart.

        Raises:
            SchemeNotOffered: nothing of its scheme is fetched.
            ValueError: it is malformed, or what it names is not allowed; to be read after the name of the field.
        """
        check_length(uri)
        match = _SCHEME.match(uri)
        if match is None:
            raise ValueError("must be an absolute URI that begins with its scheme in lower case, such as https://")
        if match[1] not in self.schemes:
            raise SchemeNotOffered(match[1], self.schemes)
        if match[1] == "file":
            return self._file(uri)
        return self._object(uri) if match[1] == "s3" else self.destinations.check_url(uri)

    def _file(self, uri: str) -> FileLocation:
        path = file_path(uri)
        if not any(path.startswith(root if root == "/" else root + "/") for root in self.roots):
            raise ValueError(
                "names a file outside the folders that this server may read; whoever runs it decides with the setting "
                "source_roots"
            )
        return FileLocation(path)

    def _object(self, uri: str) -> S3Address:
        check_escapes(uri)
        address = parse_s3_uri(uri)
        if not address.key or address.key.endswith("/"):
            raise ValueError("must name an object: s3://BUCKET/KEY")
        if not any(allowed.holds(address) for allowed in self._buckets):
            raise ValueError(
                "names an object that this server may not read; whoever runs it decides with the setting source_buckets"
            )
        return address


def file_path(uri: str) -> str:
    """The path that a `file:` URI (RFC 8089) names. Raises ValueError, to be read after the name of the field."""
    if not uri.startswith("file://"):
        raise ValueError("must have the form file:///absolute/path")
    check_escapes(uri)
    host, slash, rest = uri.removeprefix("file://").partition("/")
    if host not in ("", "localhost") or not slash:
        raise ValueError("must have the form file:///absolute/path: files of other machines are not read")
    path = os.fsdecode(b"/" + unquote_to_bytes(rest))
    if "\0" in path:
        raise ValueError("must not hold a zero byte")
    if any(part in ("", ".", "..") for part in path[1:].split("/")):
        raise ValueError('must name a file by its plain path, without "//", ".", ".." and "/" at its end')
    return path


def check_escapes(uri: str) -> None:
    """Raise ValueError unless a URI is plain text in which all else is escaped, as with files and objects it must be."""
    if not is_plain(uri) or "?" in uri or "#" in uri or _BAD_ESCAPE.search(uri):
        raise ValueError("must be of printable ASCII without spaces, backslashes, ? and #: escape these and others as %XX")


def _root(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or "\0" in text:
        raise ValueError(f"{text!r} is not the absolute path of a folder")
    return os.path.normpath(text)
