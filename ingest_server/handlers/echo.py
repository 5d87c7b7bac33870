"""The built-in handler `echo`: gives its input back. For trying out a service, and for measuring it without any work."""

from __future__ import annotations

from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Context, Output

COPY_BYTES_MAX = 1_024 * 1_024
"""Larger inputs are given back as the file they lie in, so that they are never in memory as a whole."""


@handler("echo")
def echo(context: Context) -> Output | memoryview | None:
    """Answer with the input: its bytes, media type, name and metadata."""
    given = context.input
    if not given.size_bytes and not given.media_type and not given.name and not given.metadata:
        return None
    media_type = given.media_type or "application/octet-stream"
    if not given.media_type and not given.name and not given.metadata and given.size_bytes <= COPY_BYTES_MAX:
        return given.view()  # what plain bytes are taken for is just that, and an Output costs 1 µs
    if given.size_bytes > COPY_BYTES_MAX:
        return Output(path=given.path(), media_type=media_type, name=given.name, metadata=given.metadata)
    return Output(data=given.view(), media_type=media_type, name=given.name, metadata=given.metadata)
