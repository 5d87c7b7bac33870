"""The tables of a database that the task store writes: what everybody may read with SQLite alone; docs/store.md shows how.

`chunks_fts` holds the words of `chunks` without a second copy of the text (FTS5, external content), kept in step by triggers.
`chunks_vec` (sqlite-vec) is made with the first vectors, when their dimension is known; its rows have the ids of the chunks.
Versions are numbered from 1 in `user_version`; a database of a later one is left alone.
"""

from __future__ import annotations

APPLICATION_ID = 0x494E4753 + 1
"""ASCII "INGT", at byte 68 of the file: tells ours from any other database; the server's own store is "INGS"."""
VERSION = 1
MODEL, DIMENSIONS = "embedding_model", "embedding_dimensions"
"""Names in `properties`."""

TABLES = """
CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL UNIQUE,   -- the same whenever the same document is stored
    parent INTEGER REFERENCES documents (id) ON DELETE CASCADE,  -- the document it lies in: a mail, an archive
    document_key TEXT NOT NULL,         -- as the job gave it, or ''
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    authors TEXT NOT NULL,              -- JSON, a list of texts
    language TEXT NOT NULL,
    media_type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    page_count INTEGER NOT NULL,
    create_time TEXT,                   -- RFC 3339
    tokenizer TEXT NOT NULL,
    issues TEXT NOT NULL,               -- JSON, a list of objects with page, reason, message
    job_id TEXT NOT NULL,
    store_time TEXT NOT NULL            -- RFC 3339
) STRICT;
CREATE INDEX documents_parent ON documents (parent) WHERE parent IS NOT NULL;

CREATE TABLE elements (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,          -- reading order, from 0
    element_id TEXT NOT NULL,
    page INTEGER NOT NULL,              -- 0: no pages
    kind TEXT NOT NULL,                 -- text, table, image
    role TEXT,                          -- of a text: paragraph, heading, …
    heading_level INTEGER NOT NULL,
    bounding_box TEXT,                  -- JSON, [left, top, right, bottom] in points
    text TEXT NOT NULL,                 -- of a table a line a row, cells apart by tabs
    content TEXT,                       -- JSON: the cells of a table, the properties of an image
    UNIQUE (document, position)
) STRICT;

CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,          -- from 0
    chunk_id TEXT NOT NULL,
    text TEXT NOT NULL,
    headings TEXT NOT NULL,             -- JSON, outermost first
    pages TEXT NOT NULL,                -- JSON, ascending
    element_ids TEXT NOT NULL,          -- JSON
    token_count INTEGER NOT NULL,
    UNIQUE (document, position)
) STRICT;

CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    text, headings, content = 'chunks', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2"
);
CREATE TRIGGER chunks_inserted AFTER INSERT ON chunks BEGIN
    INSERT INTO chunks_fts (rowid, text, headings) VALUES (new.id, new.text, new.headings);
END;
CREATE TRIGGER chunks_deleted AFTER DELETE ON chunks BEGIN
    INSERT INTO chunks_fts (chunks_fts, rowid, text, headings) VALUES ('delete', old.id, old.text, old.headings);
END;
CREATE TRIGGER chunks_updated AFTER UPDATE ON chunks BEGIN
    INSERT INTO chunks_fts (chunks_fts, rowid, text, headings) VALUES ('delete', old.id, old.text, old.headings);
    INSERT INTO chunks_fts (rowid, text, headings) VALUES (new.id, new.text, new.headings);
END;
"""

VECTORS = """
CREATE VIRTUAL TABLE chunks_vec USING vec0 (chunk INTEGER PRIMARY KEY, embedding FLOAT[{dimensions}] distance_metric=cosine)
"""

INSERT_DOCUMENT = """
INSERT INTO documents (document_id, parent, document_key, name, title, authors, language, media_type, sha256, page_count,
    create_time, tokenizer, issues, job_id, store_time)
VALUES (:document_id, :parent, :document_key, :name, :title, :authors, :language, :media_type, :sha256, :page_count,
    :create_time, :tokenizer, :issues, :job_id, :store_time)
RETURNING id
"""
INSERT_ELEMENT = """
INSERT INTO elements (document, position, element_id, page, kind, role, heading_level, bounding_box, text, content)
VALUES (:document, :position, :element_id, :page, :kind, :role, :heading_level, :bounding_box, :text, :content)
"""
INSERT_CHUNK = """
INSERT INTO chunks (document, position, chunk_id, text, headings, pages, element_ids, token_count)
VALUES (:document, :position, :chunk_id, :text, :headings, :pages, :element_ids, :token_count)
RETURNING id
"""
CHUNKS_OF = """
WITH RECURSIVE inside (id) AS (
    SELECT id FROM documents WHERE document_id = ? UNION ALL SELECT documents.id FROM documents JOIN inside ON parent = inside.id
)
SELECT chunks.id FROM chunks JOIN inside ON document = inside.id
"""
