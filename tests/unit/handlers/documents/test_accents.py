"""Accents drawn apart from their letters are joined where they stand over each other, and nowhere else."""

from __future__ import annotations

import pytest

from ingest_server.handlers.pdf.accents import joined_accents, may_have_accents

WIDTH = 5.0


def join(text: str, *over: int) -> str:
    """Join accents in a line whose characters stand side by side, but those at `over` on the place of the one after them; at a
    negative place, of the one before."""
    lefts: list[float] = []
    reached = 0.0
    for index in range(len(text)):
        if -index in over and index:
            lefts.append(lefts[-1])
            continue
        lefts.append(reached)
        if index not in over:
            reached += WIDTH
    return joined_accents(text, lambda places: [(lefts[place], 0.0, lefts[place] + WIDTH, 10.0) for place in places])


@pytest.mark.parametrize(
    ("text", "over", "expected"),
    [
        ("K¨ohler", 1, "Köhler"),
        ("Potort`ı", 6, "Potortì"),
        ("Garc´ıa", 4, "García"),
        ("˙x = 0", 0, "ẋ = 0"),
        ("garc¸on", -4, "garçon"),
        ("Erd˝os", 3, "Erdős"),
    ],
)
def test_an_accent_over_its_letter_is_joined(text: str, over: int, expected: str) -> None:
    assert join(text, over) == expected


@pytest.mark.parametrize("text", ["K¨ohler", "l´eau", "`a' is quoted", "¨", "a¨", "´", "plain", "", "ˆˆˆ"])
def test_an_accent_beside_a_letter_stays(text: str) -> None:
    assert join(text) == text


def test_what_no_letter_has_stays() -> None:
    assert join("¯x and ˇ7", 0, 7) == "¯x and ˇ7"


def test_two_accents_do_not_take_the_same_letter() -> None:
    assert join("¨´o", 0, 1) == "¨ó"


def test_characters_without_a_box_are_left_alone() -> None:
    assert joined_accents("¨o", lambda places: [(0.0, 0.0, 0.0, 0.0)] * len(places)) == "¨o"


@pytest.mark.parametrize(("text", "expected"), [("K¨ohler", True), ("`a' and ^b", False), ("Köhler", False), ("", False)])
def test_only_pages_with_accents_are_looked_at(text: str, expected: bool) -> None:
    assert may_have_accents(text) is expected
