"""Takes chunks out of a document and leaves a note of each: what was dropped, and by which rule."""

from __future__ import annotations

from collections.abc import Callable

from ingest.v1 import document_pb2


def drop_chunks(
    document: document_pb2.Document,
    judge: Callable[[document_pb2.Chunk], document_pb2.DroppedChunk | None],
    check: Callable[[], None],
) -> int:
    """Drop the chunks that `judge` has a note for; the others keep their order and ids.

    Args:
        document: changed in place, its `dropped_chunks` extended. Unchanged if anything is raised.
        judge: is asked of each chunk in order; None keeps it. It need not fill `chunk_id`.
        check: called once a chunk; raises to stop.

    Returns:
        How many were dropped.
    """
    kept: list[document_pb2.Chunk] = []
    notes: list[document_pb2.DroppedChunk] = []
    for chunk in document.chunks:
        check()
        note = judge(chunk)
        if note is None:
            kept.append(chunk)
        else:
            note.chunk_id = chunk.id
            notes.append(note)
    if notes:
        # Made anew in one go: each `del` in a repeated field moves all that stand behind.
        survivors = document_pb2.Document(chunks=kept)
        document.ClearField("chunks")
        document.chunks.MergeFrom(survivors.chunks)
        document.dropped_chunks.extend(notes)
    return len(notes)
