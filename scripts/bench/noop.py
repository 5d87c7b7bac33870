"""A handler that does nothing: what is left of a job when its work is taken away."""

from __future__ import annotations

from ingest_server.handlers import Context, handler


@handler("noop")
def noop(context: Context) -> None:
    """Do nothing."""
