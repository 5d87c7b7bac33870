"""What a job works on: bytes at hand, a file of this machine, a blob the server has, or a URI it fetches."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ingest.v1 import job_pb2

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""How a URI with a host begins (RFC 3986); no path does that anybody would write."""
# What Python's table lacks on machines without /etc/mime.types.
_MEDIA_TYPES = {".md": "text/markdown", ".markdown": "text/markdown", ".html": "text/html", ".htm": "text/html"}


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that the server holds.

    Attributes:
        sha256: 64 lower-case hexadecimal digits.
        size_bytes: 0 if unknown.
    """

    sha256: str
    size_bytes: int = 0

    def to_proto(self) -> job_pb2.BlobRef:
        """The message that goes to the server."""
        return job_pb2.BlobRef(sha256=self.sha256, size_bytes=self.size_bytes)


@dataclass(frozen=True, slots=True)
class Input:
    """An input with its description; exactly one of `data`, `path`, `blob`, `uri` is set, or none for an empty input.

    Attributes:
        media_type: RFC 6838; "" lets the server decide.
        name: for people, and a hint for the server; never used as a path there.
        metadata: handed to the handler.
        data: the bytes.
        path: a file, read when the job is submitted; large ones go as blobs, streamed from the file.
        blob: what was uploaded before.
        uri: what the server fetches itself, where its operator allows it: file, https, http, s3. It finds out type and name.
    """

    media_type: str = ""
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    path: Path | None = None
    blob: Blob | None = None
    uri: str = ""

    def __post_init__(self) -> None:
        given = [self.data is not None, self.path is not None, self.blob is not None, bool(self.uri)]
        if sum(given) > 1:
            raise ValueError("an input has one source: data, path, blob or uri")

    @classmethod
    def file(cls, path: str | os.PathLike[str], *, media_type: str = "", name: str = "") -> Input:
        """A file of this machine. Media type and name are taken from the path where not given."""
        where = Path(path)
        return cls(media_type=media_type or guess_media_type(where.name), name=name or where.name, path=where)

    @classmethod
    def text(cls, text: str, *, name: str = "") -> Input:
        """Text, sent as UTF-8."""
        return cls(media_type="text/plain; charset=utf-8", name=name, data=text.encode())

    def header(self) -> job_pb2.Payload:
        """The message without content; a blob or a uri is content that is small enough to be here."""
        message = job_pb2.Payload(media_type=self.media_type, name=self.name, metadata=self.metadata)
        if self.blob is not None:
            message.blob.CopyFrom(self.blob.to_proto())
        elif self.uri:
            message.uri = self.uri
        return message


InputLike: TypeAlias = "Input | bytes | bytearray | memoryview | str | os.PathLike[str]"


def as_input(value: InputLike) -> Input:
    """Read `value` as an input: bytes are data, `str` and paths name a file, as in `open`; but a `str` such as "https://…" is a
    reference, which the server fetches.

    Raises:
        TypeError: it is nothing of that kind.
    """
    if isinstance(value, Input):
        return value
    if isinstance(value, bytes):
        return Input(data=value)
    if isinstance(value, bytearray | memoryview):
        return Input(data=bytes(value))
    if isinstance(value, str) and is_uri(value):
        return Input(uri=value)
    if isinstance(value, str | os.PathLike):
        return Input.file(value)
    raise TypeError(f"an input is bytes, a path or an Input, not {type(value).__name__}; for text use Input.text(…)")


def is_uri(text: str) -> bool:
    """Whether `text` is a reference and not a path."""
    return _URI.match(text) is not None


def guess_media_type(name: str) -> str:
    """Guess from the extension; "" where it says nothing, so that the server looks at the bytes."""
    suffix = os.path.splitext(name)[1].lower()
    return _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name, strict=False)[0] or ""
