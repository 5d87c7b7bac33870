"""Sentences of many scripts, characters of many code points, and texts made to take long."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ingest_server.handlers.chunking.boundaries import begins_character, cuts, sentence_cuts
from ingest_server.handlers.chunking.token_estimate import count_tokens


def sentences(text: str) -> list[str]:
    """The sentences, without the white space behind them."""
    offsets = [0, *sentence_cuts(text), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(offsets)]


@pytest.mark.parametrize(
    "expected",
    [
        ["One.", "Two!", "Three?", "Four… ", "Five."],
        ["He said “Stop.”", "She did (at last.)", "Done."],
        ["Dr. No met J. Smith, e.g. in Fig. 3, approx. at noon.", "They left."],
        ["It cost 3.14 euro.", "See example.org now.", "The version is v1.2.3."],
        ["Ends with no full stop", "On the next line"],
        ["هل هذا سؤال؟", "نعم، هذا جواب.", "انتهى۔"],
        ["שלום עולם.", "מה שלומך?", "טוב!"],
        ["यह पहला वाक्य है।", "यह दूसरा है॥"],
        ["Это раз.", "А т. д. не конец? ", "Да."],
    ],
    ids=["Latin", "quotes", "abbreviations", "numbers", "lines", "Arabic", "Hebrew", "Hindi", "Russian"],
)
def test_sentences_parted_by_spaces(expected: list[str]) -> None:
    glue = "\n" if "On the next line" in expected else " "
    assert sentences(glue.join(each.strip() for each in expected)) == [each.strip() for each in expected]


def test_ideographic_sentences_need_no_space() -> None:
    assert sentences("今日は晴れです。明日は？「はい。」そうです！終わり") == [
        "今日は晴れです。",
        "明日は？",
        "「はい。」",
        "そうです！",
        "終わり",
    ]


@pytest.mark.parametrize(
    "character",
    ["e\u0301", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f", "\u1112\u1161\u11ab", "क्षि", "\r\n", "👨🏽\u200d🦰"],
    ids=ascii,
)
def test_a_character_is_never_cut(character: str) -> None:
    text = f"a{character}b"
    begins = [offset for offset in range(1, len(text)) if begins_character(text, offset)]
    assert begins == [1, len(text) - 1] or (character == "क्षि" and 2 not in begins), "marks and joiners stay with their letter"


def test_flags_are_cut_between_two() -> None:
    flags = "🇩🇪🇫🇷🇮🇹"
    assert [offset for offset in range(1, 6) if begins_character(flags, offset)] == [2, 4]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [".", "。", '."', "\n", "\n ", " ", "a", "\u0301", "🇩", "!?", "\t\r"], ids=ascii)
def test_a_million_of_anything_is_gone_over_once(unit: str) -> None:
    """A pattern that starts again at each of them would take hours."""
    text = "x" + unit * (1_000_000 // len(unit))
    for level in range(4):
        cuts(text, level)
    begins_character(text, len(text) - 1)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n\t\u00a0", 0),
        ("The cat sat.", 4),
        ("tokens", 1),
        ("tokeniser", 2),
        ("12345", 2),
        ("日本語", 3),
        ("привет", 2),
        ("a_b", 3),
        ("👍", 1),
        ("Straße", 1),
        ("word日本", 3),
    ],
)
def test_the_estimate_is_what_its_rule_says(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens
    assert count_tokens(f"{text} {text}") == 2 * tokens
