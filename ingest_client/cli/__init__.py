"""The command line `ingest`: one command per file; `main` is its entry point."""

from ingest_client.cli.main import main

__all__ = ["main"]
