"""Reads a database of the task `store`: full-text search (FTS5, bm25), nearest vectors (sqlite-vec), and both put together.

Two lists become one by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a chunk scores 1 / (60 + rank) in each
list that has it. Ranks can be added where bm25 and cosine distances cannot; 60 is the constant of that paper.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import apsw

from ingest_client.search.hit import MARK_BEGIN, MARK_END, Hit
from ingest_client.search.words import queries

APPLICATION_ID = 0x494E4754
VERSION_MAX = 1
"""ASCII "INGT" and the version of the tables, as the server writes them into the file; a test proves them equal."""
LIMIT_MAX = 1_000
FUSION_CONSTANT = 60
CANDIDATES_PER_HIT = 10
"""How far each list is read where two are put together."""
NEAREST_MAX = 4_096
"""Of sqlite-vec."""
BUSY_MILLISECONDS = 5_000
"""Readers do not wait for writers, but for the short time in which one tidies up after a crash."""
SNIPPET_TOKENS = 32
TEXT_WEIGHT, HEADINGS_WEIGHT = 1.0, 0.5
"""Of bm25: a word of the text says more than one of a heading, which all chunks of its section have."""
_PLAIN_CHARACTERS = 240

_ROW = """
SELECT documents.name, documents.document_key, documents.title, documents.document_id, documents.parent,
    chunks.chunk_id, chunks.pages, chunks.headings, chunks.text
FROM chunks JOIN documents ON documents.id = chunks.document WHERE chunks.id = ?
"""


class NotSearchable(ValueError):
    """The file is no database of the task store, or has not what was asked for; the message says what to do."""


class SearchDatabase:
    """A database, opened for reading; used as a context manager. It may be written to by a server meanwhile: each search sees one
    state of it.

    Args:
        path: of the file.

    Raises:
        NotSearchable: there is no such file, or it is something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        if not os.path.isfile(self._path):
            raise NotSearchable(f"{self._path}: there is no such file; ingest run FILES --store {self._path} makes one")
        try:
            self._connection = _opened(os.path.abspath(self._path))
        except apsw.Error as error:
            raise NotSearchable(f"{self._path} cannot be opened: {error}") from error
        try:
            self._check()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> SearchDatabase:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    @property
    def embedding(self) -> tuple[str, int] | None:
        """Model and dimensions of the vectors; None where there are none."""
        found = {str(name): str(value) for name, value in self._connection.execute("SELECT name, value FROM properties")}
        if "embedding_dimensions" not in found:
            return None
        return found.get("embedding_model", ""), int(found["embedding_dimensions"])

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and of chunks."""
        documents, chunks = self._connection.execute("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)").get
        return documents, chunks

    def search(self, words: str = "", *, vector: Sequence[float] = (), limit: int = 10) -> list[Hit]:
        """Find chunks by words, by vector, or by both.

        Args:
            words: what to look for: plain words, or a query of FTS5. Chunks that have all words come first, and alone if there
                are any; what cannot be read as a query is taken as plain words.
            vector: of the query, made by the model that `embedding` names; empty: words alone.
            limit: of hits, 1 … 1,000.

        Returns:
            The best first. Without words and vector, or without anything found: empty.

        Raises:
            NotSearchable: a vector for a database without vectors, or of another dimension or with numbers that are not finite; a
                damaged database.
            ValueError: the limit is out of range.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise ValueError(f"limit must be 1 … {LIMIT_MAX:,}, not {limit}")
        try:
            with self._connection:  # one state of the database for all statements
                hits = self._search(words.strip(), vector, limit)
        except apsw.Error as error:
            raise NotSearchable(f"{self._path} cannot be searched: {error}") from error
        return hits

    def _search(self, words: str, vector: Sequence[float], limit: int) -> list[Hit]:
        if not len(vector):
            query, ranked = self._by_words(words, limit)
            return [self._hit(chunk, -distance, query) for chunk, distance in ranked]
        if not words:
            return [self._hit(chunk, 1 - distance, "") for chunk, distance in self._by_vector(vector, limit)]
        near = self._by_vector(vector, limit * CANDIDATES_PER_HIT)
        query, ranked = self._by_words(words, limit * CANDIDATES_PER_HIT)
        fused = _fused([chunk for chunk, _ in ranked], [chunk for chunk, _ in near])
        return [self._hit(chunk, score, query) for chunk, score in fused[:limit]]

    def _check(self) -> None:
        try:
            found, version = self._connection.pragma("application_id"), self._connection.pragma("user_version")
        except apsw.Error as error:
            raise NotSearchable(f"{self._path} cannot be read as a database: {error}") from error
        if found != APPLICATION_ID:
            raise NotSearchable(
                f"{self._path} was not written by the task store; ingest run FILES --store out.sqlite makes a database"
            )
        if version > VERSION_MAX:
            raise NotSearchable(f"{self._path} is of version {version}; this program reads up to {VERSION_MAX}: use a newer one")

    def _by_words(self, words: str, limit: int) -> tuple[str, list[tuple[int, float]]]:
        """The query that found something, and ids of chunks with their bm25: lower is better."""
        statement = f"""
            SELECT rowid, bm25(chunks_fts, {TEXT_WEIGHT}, {HEADINGS_WEIGHT}) AS distance
            FROM chunks_fts WHERE chunks_fts MATCH ? ORDER BY distance, rowid LIMIT ?
        """
        for query in queries(words):
            try:
                found: list[tuple[int, float]] = self._rows(statement, (query, limit))
            except apsw.SQLError:  # no query as FTS5 reads it
                continue
            if found:
                return query, found
        return "", []

    def _by_vector(self, vector: Sequence[float], limit: int) -> list[tuple[int, float]]:
        """Ids of chunks with their cosine distance."""
        present = self.embedding
        if present is None:
            raise NotSearchable(f"{self._path} has no vectors: store documents that went through the task embed")
        model, dimensions = present
        if len(vector) != dimensions or not all(map(math.isfinite, vector)):
            raise NotSearchable(
                f"the query's vector must be {dimensions} finite numbers made by {model or 'the model of the chunks'}; "
                f"it has {len(vector)}"
            )
        import sqlite_vec

        self._connection.enable_load_extension(True)
        self._connection.load_extension(sqlite_vec.loadable_path())
        self._connection.enable_load_extension(False)
        statement = "SELECT chunk, distance FROM chunks_vec WHERE embedding MATCH ? AND k = ? ORDER BY distance"
        nearest: list[tuple[int, float]] = self._rows(statement, (array("f", vector).tobytes(), min(limit, NEAREST_MAX)))
        return nearest

    def _rows(self, statement: str, values: tuple[object, ...]) -> Any:
        return self._connection.execute(statement, values).fetchall()

    def _hit(self, chunk: int, score: float, query: str) -> Hit:
        name, key, title, document_id, parent, chunk_id, pages, headings, text = self._connection.execute(_ROW, (chunk,)).get
        snippet = text[:_PLAIN_CHARACTERS] + ("…" if len(text) > _PLAIN_CHARACTERS else "")
        if query:
            marked = self._connection.execute(
                "SELECT snippet(chunks_fts, 0, ?, ?, '…', ?) FROM chunks_fts WHERE chunks_fts MATCH ? AND rowid = ?",
                (MARK_BEGIN, MARK_END, SNIPPET_TOKENS, query, chunk),
            ).get
            snippet = marked or snippet
        return Hit(
            score=score,
            name=name,
            document_key=key,
            title=title,
            document_id=document_id,
            inside=parent is not None,
            chunk_id=chunk_id,
            pages=tuple(json.loads(pages)),
            headings=tuple(json.loads(headings)),
            text=text,
            snippet=snippet,
        )


def _opened(path: str) -> apsw.Connection:
    """A connection that changes nothing.

    Who may write opens for writing and forbids itself to: only so SQLite removes the two files beside the database that readers
    need too. Who may not, and finds no such files of a writer, reads the file as one that does not change.
    """
    if os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.pragma("query_only", True)
        return connection
    still = "" if os.path.exists(f"{path}-wal") else "&immutable=1"
    return apsw.Connection(f"file:{quote(path)}?mode=ro{still}", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _fused(*rankings: Sequence[int]) -> list[tuple[int, float]]:
    """One list of ids with their scores, the best first; equal scores by id."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, chunk in enumerate(ranking, start=1):
            scores[chunk] = scores.get(chunk, 0.0) + 1 / (FUSION_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
