"""What no document may make the server read: a file of every machine, and an address where nobody listens."""

from __future__ import annotations

from pathlib import Path

PLACE = "/etc/passwd"
ADDRESS = "http://127.0.0.1:9/"
"""A reader that calls it would wait or fail."""


def secret() -> bytes:
    """A line of that file, which must be in no result."""
    return Path(PLACE).read_bytes().partition(b"\n")[0]
