"""What a run has found: figures in order, each held against its limit, and what broke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import quantiles

from scripts.faults.scenario import Outcome


class Ledger:
    """Figures and faults of one run.

    Args:
        short: the run is one of those beside other tests, where nothing about time can be promised: `seconds` and `ratio` are
            only measured then.

    Attributes:
        figures: what was measured, by name with its unit last.
        faults: what broke the criterion.
    """

    def __init__(self, *, short: bool) -> None:
        self._short = short
        self.figures: dict[str, float | int | str] = {}
        self.faults: list[str] = []

    def note(self, name: str, value: float | int | str) -> None:
        """Keep a figure that has no limit."""
        self.figures[name] = value

    def require(self, held: bool, fault: str) -> None:
        """Something must be so."""
        if not held:
            self.faults.append(fault)

    def none(self, name: str, found: Iterable[object]) -> None:
        """A figure that must be 0: how many were found. The first few are told."""
        listed = list(found)
        self.note(name, len(listed))
        self.require(not listed, f"{name} is {len(listed)} and must be 0: {', '.join(map(str, listed[:5]))}")

    def most(self, name: str, value: float, limit: float) -> None:
        """A figure that must not be above its limit."""
        self.note(name, value)
        self.require(value <= limit, f"{name} is {value:.4g}; {limit:g} is the most")

    def least(self, name: str, value: float, limit: float) -> None:
        """A figure that must not be below its limit."""
        self.note(name, value)
        self.require(value >= limit, f"{name} is {value:.4g}; {limit:g} is the least")

    def seconds(self, name: str, value: float, limit: float) -> None:
        """A time that must not be above its limit on a quiet machine."""
        if self._short:
            self.note(name, value)
        else:
            self.most(name, value, limit)

    def ratio(self, name: str, value: float, limit: float) -> None:
        """A ratio of speeds that must not be below its limit on a quiet machine."""
        if self._short:
            self.note(name, value)
        else:
            self.least(name, value, limit)

    def outcome(self) -> Outcome:
        """What came of it."""
        return Outcome(not self.faults, self.figures, self.faults)


def p99(values: Sequence[float]) -> float:
    """The 99th percentile; of a single value, that one. Inclusive: no more than the greatest.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("nothing was measured")
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def counted(names: Iterable[str], counts: Mapping[str, int], least: int, most: int) -> list[str]:
    """Those of `names` whose count lies outside of bounds, each with its count."""
    return [f"{name} ({counts.get(name, 0)})" for name in names if not least <= counts.get(name, 0) <= most]
