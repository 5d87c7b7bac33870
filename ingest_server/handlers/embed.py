"""The embed task: a vector for each chunk of a document, by the built-in model, an endpoint's, or one of this machine."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ingest.v1 import document_pb2
from ingest_server.domain.embed_rules import EmbedRequest
from ingest_server.handlers.chunked_documents import documents_of, invalid_options, read_chunked, to_output
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.embedding.embedder import Embedder, batches
from ingest_server.handlers.embedding.models import embedder_for, offered_models, preload_models
from ingest_server.handlers.interface import Context, Output
from ingest_server.handlers.operator import operator_settings
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE


@handler("embed", media_types=(DOCUMENT_MEDIA_TYPE,), preload=preload_models)
def embed(context: Context, options: EmbedRequest) -> Output:
    """Computes a vector for each chunk of a document.

    Returns:
        The serialized `ingest.v1.Document`, with the vectors, and what made them.

    Raises:
        HandlerFailure: INVALID_OPTIONS, MEDIA_TYPE_NOT_SUPPORTED, DOCUMENT_MALFORMED, MODEL_UNAVAILABLE, EMBEDDING_REFUSED or
            EMBEDDING_INVALID; EMBEDDING_UNAVAILABLE, the only one that is retryable.
        Cancelled: the attempt was asked to stop.
    """
    for field, problem in options.faults(offered_models(operator_settings())):
        raise invalid_options(f"{field} {problem}")
    context.check()
    document = read_chunked(context, "embed")
    name, embedder = embedder_for(options)
    try:
        add_vectors(document, name, embedder, context, include_headings=options.include_headings)
    finally:
        embedder.close()
    return to_output(document, context)


def add_vectors(
    document: document_pb2.Document, name: str, embedder: Embedder, context: Context, *, include_headings: bool
) -> None:
    """Fill the vectors of all chunks of a document and of those in it, in place of those that were there.

    Args:
        document: changed in place.
        name: of the model.
        embedder: the model.
        context: progress is told in chunks, and a cancel looked for between batches.
        include_headings: whether the headings go before a chunk's text.
    """
    chunks: list[document_pb2.Chunk] = []
    texts: list[str] = []
    documents = list(documents_of(document))
    for chunk in (chunk for each in documents for chunk in each.chunks):
        chunk.ClearField("embedding")
        text = "\n".join([*chunk.headings, chunk.text]) if include_headings else chunk.text
        if chunk.text.strip():
            chunks.append(chunk)
            texts.append(text)
    dimensions = 0
    for chunk, vector in zip(chunks, _vectors(texts, embedder, context), strict=True):
        dimensions = len(vector)
        # Zeros have no direction: every distance to them is undefined, and a search would fall over them.
        if any(vector):
            chunk.embedding.extend(vector)
    for each in documents:
        has_vectors = any(chunk.embedding for chunk in each.chunks)
        each.embedding_model = name if has_vectors else ""
        each.embedding_dimensions = dimensions if has_vectors else 0


def _vectors(texts: list[str], embedder: Embedder, context: Context) -> Iterator[array[float]]:
    done = 0
    for batch in batches(texts, embedder.batch_texts_max, embedder.batch_bytes_max):
        context.check()
        yield from embedder.embed(batch, context)
        done += len(batch)
        context.progress(done, len(texts), "chunk")
