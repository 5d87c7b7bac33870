"""Ingest: a durable job service for documents. This package is the server."""

__version__ = "0.1.0"
