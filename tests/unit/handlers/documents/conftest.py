"""Documents made by scripts/sample_documents, and a context to read them in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, Context, Input, Output
from ingest_server.handlers.operator import operator_settings, use_operator_settings
from ingest_server.handlers.parts import Split
from scripts.sample_documents.making import make_all


class FakeInput(Input):
    """Bytes in memory, or a file. Counts how often either is asked for."""

    def __init__(self, data: bytes | Path, media_type: str = "", name: str = "", directory: Path | None = None) -> None:
        self._data = data
        self._directory = directory
        self.media_type = media_type
        self.name = name
        self.metadata = {}
        self.size_bytes = len(data) if isinstance(data, bytes) else data.stat().st_size
        self.read_count = 0

    def read(self) -> bytes:
        self.read_count += 1
        return self._data if isinstance(self._data, bytes) else self._data.read_bytes()

    def view(self) -> memoryview:
        return memoryview(self.read())

    def path(self) -> Path:
        if isinstance(self._data, Path):
            return self._data
        assert self._directory is not None, "this input is small: no file should be asked for"
        file = self._directory / "input"
        file.write_bytes(self._data)
        return file


class FakeContext(Context):
    """Remembers progress; asks to stop after a number of checks."""

    def __init__(self, document: Input, cancel_after: int | None = None) -> None:
        self.job_id = "00000000-0000-7000-8000-000000000000"
        self.attempt = 1
        self.crash_count = 0
        self.input = document
        self.log = logging.getLogger("test")
        self.reports: list[tuple[int, int, str]] = []
        self._checks_left = cancel_after

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        self.reports.append((completed_units, total_units, unit))

    @property
    def cancelled(self) -> bool:
        return self._checks_left == 0

    def check(self) -> None:
        if self._checks_left is not None:
            if self._checks_left == 0:
                raise Cancelled
            self._checks_left -= 1

    def remaining_seconds(self) -> float:
        return float("inf")


def document_of(output: Output | Split) -> document_pb2.Document:
    """What the task's output holds."""
    assert isinstance(output, Output)
    assert output.media_type == "application/vnd.ingest.document+proto"
    return document_pb2.Document.FromString(bytes(output.data))


Read = Callable[..., document_pb2.Document]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sample documents."""
    folder = tmp_path_factory.mktemp("samples")
    make_all(folder)
    return folder


@pytest.fixture(scope="session")
def manifest(samples: Path) -> dict[str, dict[str, Any]]:
    """What is in them, by file name."""
    entries = json.loads((samples / "manifest.json").read_text(encoding="utf-8"))
    return {entry["file"]: entry for entry in entries}


@pytest.fixture
def read() -> Read:
    """Extract a document from bytes or a file."""

    def run(data: bytes | Path, media_type: str = "", name: str = "", **options: Any) -> document_pb2.Document:
        return document_of(extract(FakeContext(FakeInput(data, media_type, name)), ExtractOptions(**options)))

    return run


SetLimits = Callable[..., None]


@pytest.fixture
def limits() -> Iterator[SetLimits]:
    """Sets limits of the readers, as an operator does; the usual ones are back after the test."""
    present = operator_settings()

    def change(**changes: Any) -> None:
        now = operator_settings()
        use_operator_settings(msgspec.structs.replace(now, readers=replace(now.readers, **changes)))

    yield change
    use_operator_settings(present)
