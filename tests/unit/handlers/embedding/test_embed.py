"""The task: which model is chosen, what is refused, and what a document holds afterwards."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.domain.embed_rules import EmbedRequest
from ingest_server.handlers.embed import add_vectors, embed
from ingest_server.handlers.embedding import local_model
from ingest_server.handlers.embedding.embedder import Embedder, batches
from ingest_server.handlers.embedding.models import preload_models
from ingest_server.handlers.interface import Cancelled, Context, HandlerFailure
from ingest_server.handlers.operator import OperatorSettings, operator_settings, use_operator_settings
from tests.fakes.embedding_service import embedding_service, saying, vector_of
from tests.unit.handlers.documents.conftest import FakeContext, document_of
from tests.unit.handlers.selection.conftest import context_of, document_with


@pytest.fixture(autouse=True)
def _settings_come_back() -> Iterator[None]:
    present = operator_settings()
    yield
    use_operator_settings(present)


class LengthEmbedder(Embedder):
    """A vector of the length of a text, and how often it was asked."""

    batch_texts_max = 2
    batch_bytes_max = 1_000

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str], context: Context) -> list[array[float]]:
        self.asked.append(list(texts))
        return [array("f", [float(len(text) if text != "zero" else 0), 0.0]) for text in texts]


def run(document: document_pb2.Document, **options: Any) -> document_pb2.Document:
    """Embed."""
    return document_of(embed(context_of(document), EmbedRequest(**options)))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "gpt"}, "model must be one of hashing-1, not 'gpt'; the server's operator decides"),
        ({"model": "openai/x"}, "model must be one of hashing-1, not 'openai/x'"),
        ({"model": "é" * 129}, "model must have at most 256 bytes, not 258"),
        ({"dimensions": 63}, "dimensions must be 0 (512) or 64 … 4,096 for hashing-1, not 63"),
        ({"dimensions": 4_097}, "not 4,097"),
        ({"dimensions": -1}, "not -1"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        run(document_with(["a"]), **options)
    assert (caught.value.reason, caught.value.retryable) == ("INVALID_OPTIONS", False)
    assert told in caught.value.message


def test_a_document_that_was_never_split() -> None:
    document = document_pb2.Document()
    document.elements.add(id="e1").text.text = "words"
    with pytest.raises(HandlerFailure, match="Put the task split before embed"):
        run(document)


def test_a_failure_of_the_endpoint_fails_the_task_and_closes_the_connection() -> None:
    with embedding_service() as service:
        service.answers[:] = [saying(400)]
        use_operator_settings(OperatorSettings(embed_endpoints=(f"own={service.url}",)))
        with pytest.raises(HandlerFailure) as caught:
            run(document_with(["a"]), model="own/m")
        assert caught.value.reason == "EMBEDDING_REFUSED"


def test_a_model_that_cannot_be_loaded_keeps_the_server_from_starting(tmp_path: Path) -> None:
    use_operator_settings(OperatorSettings(embed_local_models=(f"small={tmp_path / 'none'}",)))
    with pytest.raises(ValueError, match=r'The local embedding model "small" cannot be used: (there is no file|what reads it)'):
        preload_models()
    with pytest.raises(HandlerFailure) as caught:
        run(document_with(["a"]), model="small")
    assert (caught.value.reason, caught.value.retryable) == ("MODEL_UNAVAILABLE", False)


def test_a_cancel_is_heard_between_batches() -> None:
    document, model = document_with(["a", "b", "c", "d", "e"]), LengthEmbedder()
    with pytest.raises(Cancelled):
        add_vectors(document, "m", model, context_of(document, cancel_after=2), include_headings=False)
    assert model.asked == [["a", "b"], ["c", "d"]]


def test_what_made_the_vectors_is_recorded() -> None:
    document = run(document_with(["one", "two"], title="T"))
    assert (document.embedding_model, document.embedding_dimensions, document.title) == ("hashing-1", 512, "T")
    assert [len(chunk.embedding) for chunk in document.chunks] == [512, 512]
    assert run(document, dimensions=64).embedding_dimensions == 64, "in place of those before"


def test_blank_chunks_and_zeros_have_no_vector() -> None:
    document, model = document_with([" \n", "zero", "abc"]), LengthEmbedder()
    document.chunks[0].embedding.append(1.0)
    add_vectors(document, "m", model, context_of(document), include_headings=False)
    assert [list(chunk.embedding) for chunk in document.chunks] == [[], [], [3.0, 0.0]]
    assert model.asked == [["zero", "abc"]]
    assert (document.embedding_model, document.embedding_dimensions) == ("m", 2)


def test_documents_inside_have_vectors_and_models_of_their_own() -> None:
    outer = document_with(["one"])
    outer.documents.add().CopyFrom(document_with(["two", "three"]))
    outer.documents.add().CopyFrom(document_with([]))
    document = run(outer)
    assert [len(chunk.embedding) for chunk in document.documents[0].chunks] == [512, 512]
    recorded = [(each.embedding_model, each.embedding_dimensions) for each in (document, *document.documents)]
    assert recorded == [("hashing-1", 512), ("hashing-1", 512), ("", 0)]


def test_no_chunks_no_model() -> None:
    document = document_with([], embedding_model="old", embedding_dimensions=3)
    after = run(document)
    assert (after.embedding_model, after.embedding_dimensions) == ("", 0)


def test_headings_go_before_the_text_where_asked_for() -> None:
    document, model = document_with(["text", "more"]), LengthEmbedder()
    document.chunks[0].headings.extend(["Book", "Chapter"])
    add_vectors(document, "m", model, context_of(document), include_headings=True)
    add_vectors(document, "m", model, context_of(document), include_headings=False)
    assert model.asked == [["Book\nChapter\ntext", "more"], ["text", "more"]]
    assert document.chunks[0].text == "text"


def test_progress_is_told_in_chunks() -> None:
    document = document_with(["a", "b", "c"])
    context: FakeContext = context_of(document)
    add_vectors(document, "m", LengthEmbedder(), context, include_headings=False)
    assert context.reports == [(2, 3, "chunk"), (3, 3, "chunk")]


def test_an_endpoint_is_asked_in_batches_with_its_own_key() -> None:
    with embedding_service() as service:
        use_operator_settings(
            OperatorSettings(
                embed_model="own/m:1",
                embed_endpoints=("other=http://127.0.0.1:1", f"own={service.url}/"),
                embed_keys=("other=wrong", "own=right=="),
                embed_batch_chunks_max=2,
            )
        )
        document = run(document_with(["a", "bc", "def"]), dimensions=3)
    assert [list(chunk.embedding) for chunk in document.chunks] == [vector_of(text, 3) for text in ("a", "bc", "def")]
    assert (document.embedding_model, document.embedding_dimensions) == ("own/m:1", 3)
    assert [asked.body["input"] for asked in service.asked] == [["a", "bc"], ["def"]]
    assert {asked.headers["authorization"] for asked in service.asked} == {"Bearer right=="}
    assert {asked.body["model"] for asked in service.asked} == {"m:1"}
    assert service.connections == 1


def test_a_model_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("model2vec", reason="the extra `embed` is not installed")
    from tests.fakes.static_model import make_model

    monkeypatch.setattr(local_model, "_loaded", {})
    use_operator_settings(OperatorSettings(embed_local_models=(f"small={make_model(tmp_path / 'model')}",)))
    preload_models()
    document = run(document_with(["cat", "unicorn"]), model="small")
    assert [list(chunk.embedding) for chunk in document.chunks] == [[1.0, 0.0, 0.0], []]
    assert (document.embedding_model, document.embedding_dimensions) == ("small", 3)
    with pytest.raises(HandlerFailure, match="dimensions must be 0 for small, a local model"):
        run(document, model="small", dimensions=3)


def test_settings_print_no_key() -> None:
    assert "secret" not in repr(OperatorSettings(embed_keys=("own=secret",)))


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(1, 5), st.integers(1, 60))
def test_batches_hold_all_in_order_within_their_limits(texts: list[str], texts_max: int, bytes_max: int) -> None:
    found = list(batches(texts, texts_max, bytes_max))
    assert [text for batch in found for text in batch] == texts
    for batch in found:
        assert 1 <= len(batch) <= texts_max
        assert len(batch) == 1 or sum(len(text.encode("utf-8", "surrogatepass")) for text in batch) <= bytes_max
