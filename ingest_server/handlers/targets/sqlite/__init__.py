"""A database of SQLite as a target: documents, elements, chunks, full-text search, vectors. No other handler knows apsw."""
