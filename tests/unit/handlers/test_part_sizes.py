"""When parts share the input of their job instead of each having a copy."""

from __future__ import annotations

import pytest

from ingest_server.handlers.part_runs import COPIED_BYTES_MAX, shares_input
from ingest_server.handlers.parts import Part, Split


@pytest.mark.parametrize(
    ("payload", "parts", "shared"),
    [
        (b"i" + bytes(1_000), 10, False),
        (b"i" + bytes(1_000), COPIED_BYTES_MAX // 1_000, True),
        (b"b" + bytes(40), 10_000, False),
        (b"uhttps://example.org/a.pdf", 2, True),
        (b"", 10_000, False),
    ],
    ids=["copied", "too much to copy", "a blob is shared anyway", "fetched once", "no input"],
)
def test_what_parts_share(payload: bytes, parts: int, shared: bool) -> None:
    assert shares_input(Split("piece", [Part()] * parts), payload) is shared
