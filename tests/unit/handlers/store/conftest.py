"""Documents to store, a context to store them in, and a server's settings that allow one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import Output
from ingest_server.handlers.operator import OperatorSettings, operator_settings, use_operator_settings
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.store import StoreOptions, store
from tests.unit.handlers.documents.conftest import FakeContext

Store = Callable[..., Output]


def document_of(word: str = "harbour", *, chunks: int = 2, dimensions: int = 0) -> document_pb2.Document:
    """A small document of every kind of element; its digest tells its word."""
    document = document_pb2.Document(
        title=f"On {word}", authors=["Dora Dock"], media_type="text/plain", sha256=word, page_count=2
    )
    heading = document.elements.add(id="e1", page=1, heading_level=1)
    heading.text.text, heading.text.role = f"The {word}", document_pb2.TEXT_ROLE_HEADING
    heading.bounding_box.right = 100.5
    table = document.elements.add(id="e2", page=2).table
    table.rows, table.columns = 1, 2
    table.cells.add(row=0, column=0, row_span=1, column_span=1, text="Größe", header=True)
    table.cells.add(row=0, column=1, row_span=1, column_span=1, text="3")
    document.elements.add(id="e3").image.alt_text = "a boat"
    for number in range(1, chunks + 1):
        chunk = document.chunks.add(id=f"c{number}", text=f"{word} number {number}", pages=[1, 2], headings=[f"The {word}"])
        chunk.element_ids.append("e1")
        chunk.token_count = 3
        chunk.embedding.extend([number + place / 10 for place in range(dimensions)])
    document.issues.add(page=2, reason="PAGE_UNREADABLE", message="damaged")
    return document


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is allowed."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    return folder


@pytest.fixture
def operator(root: Path, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Sets what the operator has decided; at first `root` is allowed, and a folder in it is the server's own."""
    before = operator_settings()

    def decide(**settings: Any) -> None:
        use_operator_settings(
            OperatorSettings(**{"store_targets": (str(root),), "data_dir": str(root / "ingest-data"), **settings})
        )

    decide()
    yield decide
    use_operator_settings(before)


@pytest.fixture
def stored(operator: Callable[..., None]) -> Store:
    """Stores a document, with a job of its own unless one is given."""

    def run(
        document: document_pb2.Document | bytes,
        target: str,
        *,
        name: str = "a b/pilot.pdf",
        key: str = "",
        job_id: str = "",
        cancel_after: int | None = None,
        media_type: str = DOCUMENT_MEDIA_TYPE,
        form: int = 0,
    ) -> Output:
        data = document if isinstance(document, bytes) else document.SerializeToString()
        context = FakeContext(MemoryInput(data, media_type, name), cancel_after)
        context.job_id = job_id or context.job_id
        return store(context, StoreOptions(target, form, key))

    return run
