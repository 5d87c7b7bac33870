"""What goes to stdout and stderr: JSON or text, data or notes."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, TextIO

from ingest_client.errors import IngestClientError


class Printer:
    """Writes for people or for programs.

    Attributes:
        as_json: data as JSON, one document or one line per item.
        quiet: no notes, no progress; errors are still told.
    """

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool, quiet: bool) -> None:
        self._out = out
        self._err = err
        self.as_json = as_json
        self.quiet = quiet

    @property
    def shows_progress(self) -> bool:
        """Whether somebody wants to know how far it is."""
        return not self.quiet

    @property
    def err(self) -> TextIO:
        """Where notes and progress go."""
        return self._err

    def document(self, value: Any, text: str) -> None:
        """The one answer of a command."""
        self._out.write((json.dumps(plain(value), ensure_ascii=False, indent=2) if self.as_json else text) + "\n")

    def item(self, value: Any, text: str) -> None:
        """One of many answers: one line of JSON, or `text`. Written out at once, so that a reader in a pipe sees it."""
        self._out.write((json.dumps(plain(value), ensure_ascii=False) if self.as_json else text) + "\n")
        self._out.flush()

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._out.flush()
        buffer = getattr(self._out, "buffer", None)
        if buffer is None:
            self._out.write(data.decode("utf-8", "replace"))
        else:
            buffer.write(data)
            buffer.flush()

    def table(self, rows: Sequence[Mapping[str, str]]) -> str:
        """Columns aligned by spaces; on a terminal with a heading in bold."""
        if not rows:
            return ""
        names = list(rows[0])
        widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
        head = "  ".join(name.upper().ljust(width) for name, width in zip(names, widths, strict=True)).rstrip()
        if self._out.isatty():
            head = f"\x1b[1m{head}\x1b[0m"
        body = ("  ".join(row[name].ljust(width) for name, width in zip(names, widths, strict=True)).rstrip() for row in rows)
        return "\n".join((head, *body))

    def note(self, text: str) -> None:
        """Something good to know."""
        if not self.quiet:
            print(text, file=self._err, flush=True)

    def error(self, text: str) -> None:
        """Something that went wrong."""
        print(f"ingest: {text}", file=self._err, flush=True)


def plain(value: Any) -> Any:
    """Turn models into what JSON can hold: states by name, times in RFC 3339, bytes in base64, errors as objects."""
    if isinstance(value, IngestClientError):
        return {"reason": value.reason_name, "code": value.code, "message": value.message, "metadata": value.metadata}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (each.name for each in dataclasses.fields(value) if not each.name.startswith("_"))
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
