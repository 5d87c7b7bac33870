"""What a handler is: a Python callable that runs one kind of task, and what it is given and may return.

    from dataclasses import dataclass
    from ingest_server.handlers import Context, handler

    @dataclass
    class Options:
        width_pixels: int = 200

    @handler("thumbnail", media_types=("image/png",))
    def thumbnail(context: Context, options: Options) -> bytes:
        ...

A handler takes the context, and options if it has any; it may be `async`. What it returns becomes the job's output:

    None                       empty output
    bytes, bytearray           as they are, "application/octet-stream"
    str                        UTF-8, "text/plain; charset=utf-8"
    a protobuf message         serialized; media type "application/vnd.ingest.document+proto" for a Document
    Split                      the work in parts, each a job of its own: see `parts.py`
    Output                     bytes or a file, with a media type and a name of your choice
    anything JSON can hold     JSON, "application/json" (dataclasses and msgspec structs too)

What it raises ends the attempt: `HandlerFailure` with a reason of its own, `Cancelled` if it gave way to a cancel, anything else
as HANDLER_ERROR with the exception's name and text.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest_server.domain.errors import Code


class HandlerFailure(Exception):
    """This job cannot be done, for a reason its owner should know.

    Args:
        message: for people: what was wrong, with which value, and what to do.
        reason: stable name, upper snake case; a `Reason`, or your own.
        retryable: whether a further attempt may help. A damaged file stays damaged: False.
        code: canonical status code.
        metadata: further facts, as text.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "HANDLER_ERROR",
        retryable: bool = False,
        code: Code = Code.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.retryable = retryable
        self.code = code
        self.metadata = dict(metadata or {})


class Cancelled(BaseException):
    """The attempt was asked to stop. A BaseException, so that `except Exception` in a handler does not swallow it."""


@dataclass(frozen=True, slots=True)
class Output:
    """A result with a media type.

    Attributes:
        data: the bytes. Either this or `path`.
        path: a file that holds them; moved or copied away, so it may be temporary.
        media_type: RFC 6838.
        name: file name for people.
        metadata: free pairs.
    """

    data: bytes | bytearray | memoryview = b""
    path: Path | None = None
    media_type: str = "application/octet-stream"
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Input(ABC):
    """What a handler works on. Bytes may live in memory or in a file; ask for the form that suits, both are cheap."""

    media_type: str
    """As the client declared it; "" if it did not."""
    name: str
    """As the client named it, or as the task before named its result. Never a path."""
    metadata: Mapping[str, str]
    """As the client gave it."""
    size_bytes: int
    sha256: str = ""
    """Of the bytes, 64 lower-case hexadecimal digits, if it is known already; "" if not."""

    @abstractmethod
    def read(self) -> bytes:
        """All bytes. Copies a file into memory: for large inputs prefer `view` or `path`."""

    @abstractmethod
    def view(self) -> memoryview:
        """All bytes, read-only, without a copy: a file is mapped. Valid until the handler returns."""

    @abstractmethod
    def path(self) -> Path:
        """A file with the bytes, read-only, valid until the handler returns. Bytes in memory are written out first."""


class Context(ABC):
    """What a handler may know and do while it runs."""

    job_id: str
    """UUID in its 36-character form."""
    attempt: int
    """From 1."""
    crash_count: int
    """How often this job has killed its worker before."""
    input: Input
    """The job's input, or the output of the task before."""
    log: logging.Logger
    """Lines carry job_id and attempt."""

    @abstractmethod
    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """Tell how far it is. Cheap: at most ten a second leave the worker, always the newest."""

    @property
    @abstractmethod
    def cancelled(self) -> bool:
        """Whether the job was asked to stop. Look at it in long loops; `check` raises instead."""

    @abstractmethod
    def check(self) -> None:
        """Raise `Cancelled` if the job was asked to stop."""

    @abstractmethod
    def remaining_seconds(self) -> float:
        """Until this attempt is ended by force; infinity without a limit."""


@dataclass(frozen=True, slots=True)
class HandlerSpec:
    """A handler, registered.

    Attributes:
        name: for CustomTask.handler: [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?
        function: the callable.
        options_type: of its second parameter; None if it takes no options.
        description: first line of its docstring.
        media_types: that it reads; empty: any.
        is_async: runs on the worker's event loop, beside others.
        merge: for a handler that may return a `parts.Split`: makes the result of those of the parts.
        internal: runs parts only; jobs cannot name it, clients are not told of it.
        preload: called once in the zygote before workers are forked: what it loads is shared by all workers, as long as it is
            only read and lives in buffers (numpy, Arrow, mmap): plain Python objects are copied page by page as their
            reference counts change.
    """

    name: str
    function: Any
    options_type: type | None
    description: str
    media_types: tuple[str, ...]
    is_async: bool
    preload: Any = None
    merge: Any = None
    internal: bool = False
