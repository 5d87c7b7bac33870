"""What a split may be asked for: units, default sizes and limits, as job.proto promises them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class SplitUnit(IntEnum):
    """What chunks are measured in: the values of `ingest.v1.SplitUnit`; UNSPECIFIED is read as TOKENS."""

    UNSPECIFIED = 0
    TOKENS = 1
    CHARACTERS = 2
    SENTENCES = 3
    PAGES = 4
    HEADINGS = 5


DEFAULT_SIZES = {
    SplitUnit.TOKENS: 512,  # the input of the common embedding models
    SplitUnit.CHARACTERS: 2_000,  # about 512 tokens of English
    SplitUnit.SENTENCES: 10,
    SplitUnit.PAGES: 1,
    SplitUnit.HEADINGS: 1,
}
"""Size of a chunk where none is asked for."""
SIZE_MAX = 1_000_000
MEASURED_SIZE_MIN = 16
"""Least size in tokens or characters: smaller chunks would be more ids than text."""
HEADING_LEVEL_MAX = 6


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What is asked for, with the defaults not yet filled in.

    Attributes:
        chunk_size: largest chunk, in units; 0 means the unit's default.
        chunk_overlap: most units that a chunk repeats of the one before.
        unit: number of a `SplitUnit`.
        heading_level: a chunk begins at each heading of this level or above; 0: none must (for HEADINGS: all).
        tokens_max: chunks with more tokens are cut further; 0: none is. Not for TOKENS.
    """

    chunk_size: int = 0
    chunk_overlap: int = 0
    unit: int = 0
    heading_level: int = 0
    tokens_max: int = 0

    @property
    def resolved_unit(self) -> SplitUnit:
        """The unit, the default filled in. Raises ValueError for an unknown number."""
        return SplitUnit(self.unit) or SplitUnit.TOKENS

    @property
    def resolved_size(self) -> int:
        """The size, the default filled in. Raises ValueError for an unknown unit."""
        return self.chunk_size or DEFAULT_SIZES[self.resolved_unit]

    def faults(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (field, what it must be and is)."""
        if self.unit not in SplitUnit.__members__.values():
            yield "unit", f"must be a SplitUnit, not {self.unit}"
            return
        unit, size = self.resolved_unit, self.resolved_size
        measured = unit in (SplitUnit.TOKENS, SplitUnit.CHARACTERS)
        least = MEASURED_SIZE_MIN if measured else 1
        if not least <= size <= SIZE_MAX:
            yield "chunk_size", f"must be 0 (default) or {least} … {SIZE_MAX:,} {unit.name.lower()}, not {size:,}"
        elif not 0 <= self.chunk_overlap <= size // 2:
            # More would repeat the text more than twice: a result without bound.
            yield "chunk_overlap", f"must be 0 … {size // 2:,} (half of the chunk size of {size:,}), not {self.chunk_overlap:,}"
        if not 0 <= self.heading_level <= HEADING_LEVEL_MAX:
            yield "heading_level", f"must be 0 … {HEADING_LEVEL_MAX}, not {self.heading_level:,}"
        elif self.heading_level and unit is SplitUnit.PAGES:
            yield "heading_level", "must be 0 where chunks are pages: a heading does not end a page"
        if unit is SplitUnit.TOKENS and self.tokens_max:
            yield "tokens_max", f"must be 0 where chunk_size counts tokens, not {self.tokens_max:,}: set chunk_size"
        elif self.tokens_max and not MEASURED_SIZE_MIN <= self.tokens_max <= SIZE_MAX:
            yield "tokens_max", f"must be 0 (no limit) or {MEASURED_SIZE_MIN} … {SIZE_MAX:,}, not {self.tokens_max:,}"
