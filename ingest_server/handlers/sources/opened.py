"""What every kind of source gives once it is open: a description, and its bytes in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class OpenedSource(NamedTuple):
    """An open source.

    Attributes:
        name: by which it calls itself; "" if by none.
        media_type: that it declares; "" if none.
        size_bytes: that it says it has; None if it does not say.
        read_into: fills a buffer with the next bytes and answers how many; 0 at the end, which is only told if all has come.
            Raises HandlerFailure or OSError.
    """

    name: str
    media_type: str
    size_bytes: int | None
    read_into: Callable[[memoryview], int]
