"""The rules of the filter task, each a question asked of a chunk.

Phrases are literal, on purpose: Python's regular expressions can take time exponential in the text, and cannot be stopped while
they do. `str.find` is linear at worst (the two-way algorithm of Crochemore and Perrin, 1991, in CPython since 3.10).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from ingest.v1 import document_pb2
from ingest_server.domain.filter_rules import FilterRequest
from ingest_server.handlers.chunking.token_estimate import count_tokens

Rule = Callable[[document_pb2.Chunk], bool]
"""Whether a chunk keeps the rule."""


def rules_of(request: FilterRequest) -> tuple[tuple[str, Rule], ...]:
    """The rules that are asked for, by the name of their field, in the order of the fields."""
    rules: list[tuple[str, Rule]] = []
    if request.tokens_min:
        rules.append(("tokens_min", lambda chunk: _tokens(chunk) >= request.tokens_min))
    if request.tokens_max:
        rules.append(("tokens_max", lambda chunk: _tokens(chunk) <= request.tokens_max))
    if request.characters_min:
        rules.append(("characters_min", lambda chunk: len(chunk.text) >= request.characters_min))
    if request.characters_max:
        rules.append(("characters_max", lambda chunk: len(chunk.text) <= request.characters_max))
    if request.letters_min:
        rules.append(("letters_min", lambda chunk: letters_share(chunk.text) >= request.letters_min))
    if request.exclude_phrases:
        excluded = tuple(map(comparable, request.exclude_phrases))
        rules.append(("exclude_phrases", lambda chunk: not _contains(chunk.text, excluded)))
    if request.include_phrases:
        included = tuple(map(comparable, request.include_phrases))
        rules.append(("include_phrases", lambda chunk: _contains(chunk.text, included)))
    return tuple(rules)


def broken_rule(chunk: document_pb2.Chunk, rules: tuple[tuple[str, Rule], ...]) -> document_pb2.DroppedChunk | None:
    """The note of the first rule that a chunk breaks; None if it keeps all."""
    for name, keeps in rules:
        if not keeps(chunk):
            return document_pb2.DroppedChunk(rule=name)
    return None


def comparable(text: str) -> str:
    """The text as phrases are compared in: without case, each run of white space one space, none at the ends."""
    return " ".join(text.casefold().split())


def letters_share(text: str) -> float:
    """Letters with their marks, over visible characters; 0 for a text without any."""
    kinds = text.translate(_KINDS)
    letters = kinds.count("L")
    visible = letters + kinds.count("V")
    return letters / visible if visible else 0.0


def _tokens(chunk: document_pb2.Chunk) -> int:
    """As the split has counted them; a chunk of another maker may not tell."""
    return chunk.token_count or count_tokens(chunk.text)


def _contains(text: str, phrases: tuple[str, ...]) -> bool:
    searched = comparable(text)
    return any(phrase in searched for phrase in phrases)


class _Kinds(dict[int, str]):
    """Code point → "L" for a letter or mark, "V" for what is visible otherwise, " " for white space, controls and the like.
    Filled as characters are met, so bounded by their number in Unicode."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))[0]
        kind = self[code] = "L" if category in "LM" else " " if category in "ZC" else "V"
        return kind


_KINDS = _Kinds()
