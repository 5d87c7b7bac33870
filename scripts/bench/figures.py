"""What a benchmark answers: figures, each with its rounds, its ceiling in the same rounds, and what is required of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound that a median must keep.

    Attributes:
        of: what is bounded: "ours", or "ratio" (ours divided by the ceiling).
        least, most: the bound; exactly one of them.
    """

    of: str
    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        sign, bound = ("≥", self.least) if self.least is not None else ("≤", self.most)
        assert bound is not None
        return f"{sign} {number(bound)}" + (" × ceiling" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: for programs: benchmark, dot, what.
        what: for people.
        unit: of `ours` and `ceiling`; "" for plain numbers.
        ours: one value per round.
        ceiling: one value per round, of the same rounds; empty if nothing bounds the figure but a requirement.
        ceiling_name: what the ceiling is.
        requirements: all must be met.
    """

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    ceiling: tuple[float, ...] = ()
    ceiling_name: str = ""
    requirements: tuple[Requirement, ...] = ()

    def __post_init__(self) -> None:
        if not self.ours:
            raise ValueError(f"{self.name} has no round")
        if self.ceiling and len(self.ceiling) != len(self.ours):
            raise ValueError(f"{self.name} has {len(self.ours)} rounds, but its ceiling has {len(self.ceiling)}")

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours divided by the ceiling, each within one round."""
        return tuple(ours / ceiling for ours, ceiling in zip(self.ours, self.ceiling, strict=bool(self.ceiling)))

    @property
    def met(self) -> bool | None:
        """Whether the medians keep all requirements; None where nothing is required."""
        if not self.requirements:
            return None
        medians = {"ours": statistics.median(self.ours), "ratio": statistics.median(self.ratios) if self.ceiling else 0.0}
        return all(requirement.met(medians[requirement.of]) for requirement in self.requirements)

    def as_json(self) -> dict[str, Any]:
        """For the results file."""
        answer: dict[str, Any] = {"name": self.name, "what": self.what, "unit": self.unit, "ours": spread(self.ours)}
        if self.ceiling:
            answer |= {"ceiling_name": self.ceiling_name, "ceiling": spread(self.ceiling), "ratio": spread(self.ratios)}
        if self.requirements:
            answer |= {"required": [str(requirement) for requirement in self.requirements], "met": self.met}
        return answer


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, smallest, largest, and all values in the order of the rounds."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": list(values)}


def number(value: float) -> str:
    """A number as people read it: three digits that count, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


COLUMNS = ("what", "ours", "min–max", "ceiling", "ratio", "required", "met")


def table(figures: Sequence[Figure]) -> str:
    """The figures as lines of text under `COLUMNS`; two spaces or more between columns."""
    rows = [COLUMNS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    unit = f" {figure.unit}" if figure.unit else ""
    ceiling = f"{number(statistics.median(figure.ceiling))}{unit} ({figure.ceiling_name})" if figure.ceiling else "–"
    return (
        figure.what,
        number(statistics.median(figure.ours)) + unit,
        f"{number(min(figure.ours))}–{number(max(figure.ours))}",
        ceiling,
        number(statistics.median(figure.ratios)) if figure.ceiling else "–",
        " and ".join(str(requirement) for requirement in figure.requirements) or "–",
        {None: "–", True: "yes", False: "NO"}[figure.met],
    )
