"""What a dedup may be asked for: similarity and its limits, as job.proto promises them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SIMILARITY_MIN = 0.3
"""Below this, chunks share less than half of their words: that is a common subject, not a repetition."""
SIMILARITY_DEFAULT = 0.8
"""Of 300 words about 11 may differ, each in a place of its own: a changed word touches three sequences of three."""


@dataclass(frozen=True, slots=True)
class DedupRequest:
    """What is asked for; the fields of `ingest.v1.DedupTask`.

    Attributes:
        similarity: from which a chunk is dropped, `SIMILARITY_MIN` … 1; 0 means `SIMILARITY_DEFAULT`.
    """

    similarity: float = 0.0

    @property
    def resolved_similarity(self) -> float:
        """The similarity, the default filled in."""
        return self.similarity or SIMILARITY_DEFAULT

    def faults(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (field, what it must be and is)."""
        if not (self.similarity == 0 or SIMILARITY_MIN <= self.similarity <= 1):
            yield "similarity", f"must be 0 (default) or {SIMILARITY_MIN} … 1, not {self.similarity:g}"
