"""The dedup task: drops chunks that repeat an earlier one, word for word or nearly, and tells which it dropped and why."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from ingest.v1 import document_pb2
from ingest_server.domain.dedup_rules import DedupRequest
from ingest_server.handlers.chunked_documents import documents_of, invalid_options, read_chunked, to_output
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Context, Output
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.selection.dropping import drop_chunks
from ingest_server.handlers.selection.near import NearSets
from ingest_server.handlers.selection.shingles import digest, normalised, shingles


@handler("dedup", media_types=(DOCUMENT_MEDIA_TYPE,))
def dedup(context: Context, options: DedupRequest) -> Output:
    """Drops chunks that repeat an earlier one, word for word or nearly.

    Returns:
        The serialized `ingest.v1.Document` without them, each noted in `dropped_chunks`.

    Raises:
        HandlerFailure: INVALID_OPTIONS, MEDIA_TYPE_NOT_SUPPORTED or DOCUMENT_MALFORMED; none retryable.
        Cancelled: the attempt was asked to stop.
    """
    for field, problem in options.faults():
        raise invalid_options(f"{field} {problem}")
    context.check()
    document = read_chunked(context, "dedup")
    dropped = drop_repeated(document, options.resolved_similarity, context)
    context.log.debug("dedup dropped %d chunks", dropped)
    return to_output(document, context)


_NO_SHINGLES: array[int] = array("q")
"""Stands for those of a chunk where none are needed."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a chunk that is kept stands."""

    document: document_pb2.Document
    chunk_id: str


class _Judge:
    """Judges chunk by chunk, in order, and remembers those it keeps."""

    def __init__(self, near: NearSets | None, sets: list[array[int]]) -> None:
        self._near = near
        self._sets = iter(sets)
        self._same: dict[bytes, _Place] = {}
        self._kept: list[_Place] = []

    def __call__(self, document: document_pb2.Document, chunk: document_pb2.Chunk) -> document_pb2.DroppedChunk | None:
        own = digest(normalised(chunk.text))
        members = next(self._sets, _NO_SHINGLES)
        place = self._same.get(own)
        if place is not None:
            return _note("same", place, document, 1.0)
        place = _Place(document, chunk.id)
        if self._near is not None:
            telling = self._near.telling(members)
            found = self._near.nearest(members, telling)
            if found is not None:
                return _note("near", self._kept[found[0]], document, found[1])
            self._near.add(members, telling)
            self._kept.append(place)
        self._same[own] = place
        return None


def drop_repeated(document: document_pb2.Document, similarity: float, context: Context) -> int:
    """Drop what repeats an earlier chunk of the document or of those in it, in place.

    Args:
        document: with chunks.
        similarity: from which a chunk counts as repeated; at 1 only the same text does.
        context: asked often whether to go on.

    Returns:
        How many were dropped.
    """
    documents = list(documents_of(document))
    sets: list[array[int]] = []
    near = None
    if similarity < 1:
        for each in documents:
            for chunk in each.chunks:
                context.check()
                sets.append(shingles(normalised(chunk.text)))
        near = NearSets(similarity, sets, context.check)
    judge = _Judge(near, sets)
    dropped = 0
    for each in documents:
        dropped += drop_chunks(each, lambda chunk, each=each: judge(each, chunk), context.check)  # type: ignore[misc]
    return dropped


def _note(rule: str, place: _Place, document: document_pb2.Document, similarity: float) -> document_pb2.DroppedChunk:
    other = "" if place.document is document else place.document.sha256
    return document_pb2.DroppedChunk(rule=rule, kept_chunk_id=place.chunk_id, kept_sha256=other, similarity=similarity)
