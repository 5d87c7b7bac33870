"""What a filter may be asked for: rules and limits, as job.proto promises them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COUNT_MAX = 1_000_000
"""Most tokens or characters a rule may name: the largest chunk that split makes."""
PHRASES_MAX = 1_000
"""Of each list. Each is looked for by itself, linear in the text: a thousand take about 2 ms for 2,000 characters."""
PHRASE_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """What is asked for; the fields of `ingest.v1.FilterTask`.

    Attributes:
        tokens_min, tokens_max: of a chunk that is kept; 0: no such limit.
        characters_min, characters_max: the same in Unicode code points.
        letters_min: least share of letters among its visible characters, 0 … 1.
        exclude_phrases: a chunk that contains one is dropped.
        include_phrases: a chunk that contains none is dropped; empty: none is.
    """

    tokens_min: int = 0
    tokens_max: int = 0
    characters_min: int = 0
    characters_max: int = 0
    letters_min: float = 0.0
    exclude_phrases: tuple[str, ...] = ()
    include_phrases: tuple[str, ...] = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (field, what it must be and is); a request without rules is told of as field ""."""
        if self == FilterRequest():
            yield "", "must have a rule, such as tokens_min: without any it keeps all chunks"
        for what in ("tokens", "characters"):
            least, most = getattr(self, f"{what}_min"), getattr(self, f"{what}_max")
            for field, value in ((f"{what}_min", least), (f"{what}_max", most)):
                if not 0 <= value <= COUNT_MAX:
                    yield field, f"must be 0 … {COUNT_MAX:,}, not {value:,}"
            if 0 < most < least:
                yield f"{what}_max", f"must not be below {what}_min ({least:,}), not {most:,}"
        if not 0 <= self.letters_min <= 1:
            yield "letters_min", f"must be 0 … 1, not {self.letters_min:g}"
        for field in ("exclude_phrases", "include_phrases"):
            yield from _phrase_faults(field, getattr(self, field))


def _phrase_faults(field: str, phrases: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if len(phrases) > PHRASES_MAX:
        yield field, f"must have at most {PHRASES_MAX:,} entries, not {len(phrases):,}"
    for index, phrase in enumerate(phrases[:PHRASES_MAX]):
        if not phrase.strip() or len(phrase) > PHRASE_CHARACTERS_MAX:
            shown = f"{len(phrase):,} characters" if phrase.strip() else repr(phrase[:PHRASE_CHARACTERS_MAX])
            yield f"{field}[{index}]", f"must be a phrase of 1 … {PHRASE_CHARACTERS_MAX} characters, not {shown}"
