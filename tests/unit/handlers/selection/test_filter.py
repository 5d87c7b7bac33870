"""The filter task: each rule at its limits, in many scripts, and what was dropped is told."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_server.domain.filter_rules import FilterRequest
from ingest_server.handlers.filter import filter_chunks
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.selection.rules import letters_share
from tests.unit.handlers.documents.conftest import document_of
from tests.unit.handlers.selection.conftest import context_of, document_with


def kept(texts: list[str], **rules: Any) -> list[str]:
    """The texts that keep the rules."""
    document = document_of(filter_chunks(context_of(document_with(texts)), FilterRequest(**rules)))
    assert len(document.chunks) + len(document.dropped_chunks) == len(texts)
    return [chunk.text for chunk in document.chunks]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({}, "filter must have a rule, such as tokens_min"),
        ({"tokens_min": -1}, "tokens_min must be 0 … 1,000,000, not -1"),
        ({"characters_max": 1_000_001}, "characters_max must be 0 … 1,000,000, not 1,000,001"),
        ({"tokens_min": 3, "tokens_max": 2}, "tokens_max must not be below tokens_min (3), not 2"),
        ({"letters_min": 1.5}, "letters_min must be 0 … 1, not 1.5"),
        ({"letters_min": float("nan")}, "letters_min must be 0 … 1, not nan"),
        ({"exclude_phrases": ("a", " ")}, "exclude_phrases[1] must be a phrase of 1 … 256 characters, not ' '"),
        ({"include_phrases": ("a" * 257,)}, "include_phrases[0] must be a phrase of 1 … 256 characters, not 257 characters"),
        ({"include_phrases": ("a",) * 1_001}, "include_phrases must have at most 1,000 entries, not 1,001"),
    ],
)
def test_bad_rules_are_told(rules: dict[str, Any], told: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        kept(["a"], **rules)
    assert (caught.value.reason, caught.value.retryable) == ("INVALID_OPTIONS", False)
    assert told in caught.value.message


@pytest.mark.timeout(20)
def test_no_text_makes_phrases_take_long() -> None:
    """What makes a regular expression or a naive search take quadratic time: 1,000 phrases that almost match everywhere."""
    phrases = tuple("a" * 200 + f"b{number}" for number in range(1_000))
    assert kept(["a" * 100_000], exclude_phrases=phrases) == ["a" * 100_000]


def test_lengths_are_kept_at_their_limits() -> None:
    texts = ["one", "one two", "one two three", "one two three four"]
    assert kept(texts, tokens_min=2, tokens_max=3) == ["one two", "one two three"]
    assert kept(texts, characters_min=7, characters_max=7) == ["one two"]
    assert kept(["👩", "ab"], characters_max=1) == ["👩"]


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        (" \n\t\u200b", 0.0),
        ("abc", 1.0),
        ("12ab", 0.5),
        ("..... 1 ....", 0.0),
        ("नमस्ते", 1.0),
        ("สวัสดีครับ", 1.0),
        ("日本語です", 1.0),
        ("e\u0301", 1.0),
        ("שלום 1234", 0.5),
    ],
    ids=ascii,
)
def test_letters_of_every_script_are_letters_with_their_marks(text: str, share: float) -> None:
    assert letters_share(text) == pytest.approx(share)


def test_a_share_of_letters() -> None:
    assert kept(["ab12", "ab123", "prose"], letters_min=0.5) == ["ab12", "prose"]


def test_phrases_disregard_case_and_kinds_of_white_space() -> None:
    texts = ["All  Rights\nReserved.", "Alles Recht", "STRASSE", "rights"]
    assert kept(texts, exclude_phrases=("all rights reserved",)) == texts[1:]
    assert kept(texts, include_phrases=("Straße", "recht")) == ["Alles Recht", "STRASSE"]
    assert kept(["1.5", "105"], include_phrases=("1.5",)) == ["1.5"], "a phrase is no pattern"


def test_tokens_that_nobody_counted_are_counted() -> None:
    document = document_with(["one two three", "one"])
    for chunk in document.chunks:
        chunk.ClearField("token_count")
    after = document_of(filter_chunks(context_of(document), FilterRequest(tokens_min=3)))
    assert [chunk.text for chunk in after.chunks] == ["one two three"]


def test_each_document_inside_keeps_its_own_notes() -> None:
    outer = document_with(["x", "one two"])
    outer.documents.add().CopyFrom(document_with(["three four", "y"]))
    document = document_of(filter_chunks(context_of(outer), FilterRequest(tokens_min=2)))
    assert [each.chunk_id for each in document.dropped_chunks] == ["c1"]
    assert [each.chunk_id for each in document.documents[0].dropped_chunks] == ["c2"]


def test_the_first_broken_rule_is_the_one_told_and_ids_stay() -> None:
    texts = ["x", "good and long enough", "1 2 3 4 5 6 7 8", "an advertisement to be dropped"]
    request = FilterRequest(tokens_min=2, letters_min=0.5, exclude_phrases=("advertisement",))
    document = document_of(filter_chunks(context_of(document_with(texts)), request))
    assert [chunk.id for chunk in document.chunks] == ["c2"]
    assert [(each.chunk_id, each.rule, each.kept_chunk_id) for each in document.dropped_chunks] == [
        ("c1", "tokens_min", ""),
        ("c3", "letters_min", ""),
        ("c4", "exclude_phrases", ""),
    ]
