"""Alternative contents of office documents (mc:AlternateContent; ISO/IEC 29500-3, 7.6): the first is read, the others are not.

The first is the one for the newest programs; what follows says the same for older ones, and would be read twice.
"""

from __future__ import annotations

from ingest_server.handlers.office.xml_events import Attributes


class Alternatives:
    """Follows alternatives within alternatives. Its methods are what a parser calls at the elements that they name."""

    def __init__(self) -> None:
        self._read: list[bool] = []

    def begin(self, _: Attributes) -> None:
        """mc:AlternateContent begins."""
        self._read.append(False)

    def left_out(self, _: Attributes) -> bool:
        """mc:Choice or mc:Fallback begins. Returns whether it is left out, because one before it was read."""
        before = bool(self._read) and self._read[-1]
        if self._read:
            self._read[-1] = True
        return before

    def end(self) -> None:
        """mc:AlternateContent ends."""
        self._read.pop()
