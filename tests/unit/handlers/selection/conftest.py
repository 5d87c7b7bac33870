"""Documents with chunks, and tasks run on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.chunking.token_estimate import count_tokens
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput

Made = Callable[..., document_pb2.Document]


def document_with(texts: Sequence[str], **fields: Any) -> document_pb2.Document:
    """A document that has been split into these chunks, c1 and so on."""
    document = document_pb2.Document(tokenizer="estimate-1", **fields)
    for number, text in enumerate(texts, 1):
        document.chunks.add(id=f"c{number}", text=text, token_count=count_tokens(text))
    return document


def context_of(document: document_pb2.Document | bytes, media_type: str = DOCUMENT_MEDIA_TYPE, **more: Any) -> FakeContext:
    """An attempt on a document."""
    data = document if isinstance(document, bytes) else document.SerializeToString()
    return FakeContext(FakeInput(data, media_type, "report.pdf"), **more)


@pytest.fixture(params=["filter", "dedup"])
def task(request: pytest.FixtureRequest) -> tuple[str, Callable[..., Any]]:
    """Each task that selects chunks, by name, as a function of a context."""
    from ingest_server.domain.dedup_rules import DedupRequest
    from ingest_server.domain.filter_rules import FilterRequest
    from ingest_server.handlers.dedup import dedup
    from ingest_server.handlers.filter import filter_chunks

    tasks: dict[str, Callable[..., Any]] = {
        "filter": lambda context: filter_chunks(context, FilterRequest(tokens_min=2)),
        "dedup": lambda context: dedup(context, DedupRequest()),
    }
    return request.param, tasks[request.param]
