"""Work in parts: what a handler returns to have its job done in parts, and what it merges.

    @handler("count.pages", internal=True)
    def count_pages(context: Context, options: Pages) -> int: ...

    def total(context: Context, options: Options, split: Split, results: Sequence[PartResult]) -> int:
        return sum(int(result.read()) for result in results if result.failure is None)

    @handler("count", merge=total)
    def count(context: Context, options: Options) -> int | Split:
        if small: return ...
        return Split("count.pages", [Part(options={"first": 1, "last": 32}, units=32), ...], unit="page")

Each part is a job of its own: durable, run on any worker, tried again alone by the retry policy of its job, and dropped with it.
When all have ended, `merge` runs, with the same input and options, and returns what the handler would have returned. What comes
after it in the job's tasks goes on from there.

A handler may split as the first task of a job, and a part may split again, three levels deep in all. After a crash of the server
or of the worker that merges, the handler is called again. Parts that it then gives with the same options in the same place, and
that have ended before, are not run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest_server.domain.errors import Failure
from ingest_server.handlers.interface import Output

PARTS_MAX = 10_000
"""Parts of one job. Each costs a row of the store and, for some hundred bytes, memory of the server while the job runs."""
DEPTH_MAX = 3
"""Parts of parts of parts: a container, a document within it, its pages."""
STATE_BYTES_MAX = 64 * 1024
"""What `merge` is told by the handler that split."""
ORDER_BYTES_MAX = 16 * 1024 * 1024
"""All that is told of a split but inputs kept as blobs: 1.6 KB for each of `PARTS_MAX` parts; parts of pages take 0.3 KB."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a job.

    Attributes:
        options: of the handler that runs it, as JSON would hold them.
        input: what it works on; None: the input of the job.
        units: of the job's progress that are done with it.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    input: Output | None = None
    units: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """What a handler returns instead of a result.

    Attributes:
        handler: name of the handler that runs the parts.
        parts: 1 … `PARTS_MAX` of them; their results are merged in this order.
        unit: what `Part.units` count, such as "page".
        state: for `merge`, at most `STATE_BYTES_MAX`.
    """

    handler: str
    parts: Sequence[Part]
    unit: str = "part"
    state: bytes = b""


@dataclass(frozen=True, slots=True)
class PartResult:
    """How a part ended.

    Attributes:
        failure: why it has no result; None if it has one.
        media_type: of its result.
        size_bytes: of its result.
        units: as its `Part` said.
        data: its result, if that is small; else it is in the file at `path`.
        path: read-only, valid until `merge` returns.
    """

    failure: Failure | None
    media_type: str
    size_bytes: int
    units: int
    data: bytes = b""
    path: Path | None = None

    def read(self) -> bytes:
        """All bytes of the result."""
        return self.data if self.path is None else self.path.read_bytes()
