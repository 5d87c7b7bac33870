"""A context to fetch in: remembers progress, and asks to stop when told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import Cancelled, Context


class SourceContext(Context):
    """See the module.

    Attributes:
        reports: (completed, total) of each progress, in order.
        on_check: called at each check; may call `stop`.
    """

    def __init__(self) -> None:
        self.job_id = "00000000-0000-7000-8000-000000000000"
        self.attempt = 1
        self.input = MemoryInput(b"")
        self.log = logging.getLogger("test")
        self.reports: list[tuple[int, int]] = []
        self.on_check: Callable[[], None] = lambda: None
        self._stopped = False

    def stop(self) -> None:
        """Ask to stop."""
        self._stopped = True

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """Remember it."""
        assert unit == "byte"
        self.reports.append((completed_units, total_units))

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopped

    def check(self) -> None:
        """Raise if it was asked to stop."""
        self.on_check()
        if self._stopped:
            raise Cancelled("stop")

    def remaining_seconds(self) -> float:
        """Plenty."""
        return 3_600.0
