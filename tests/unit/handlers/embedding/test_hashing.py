"""The built-in model: the same for ever, of length one, near for texts that share words, for every script."""

from __future__ import annotations

import math
from array import array
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_server.handlers.embedding import hashing
from ingest_server.handlers.embedding.hashing import HashingEmbedder, words_of
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput


def vectors(*texts: str, dimensions: int = 0) -> list[array[float]]:
    """Of a model made anew."""
    return HashingEmbedder(dimensions).embed(texts, FakeContext(FakeInput(b"")))


def cosine(left: str, right: str) -> float:
    """How near two texts are."""
    first, second = vectors(left, right)
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_vectors_are_what_they_were_in_every_version_before() -> None:
    """Who changes this breaks every index that was made with it: give the model another name instead."""
    (vector,) = vectors("The quick brown fox; naïve Straße, 日本語 and 42.")
    rounded = ",".join(f"{value:.5f}" for value in vector)
    assert sha256(rounded.encode()).hexdigest()[:16] == "4c9264b2345056b6"
    assert len(vector) == 512


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "a ", "日", "\u0301", ". ", "ﬃ", "a1", "ก"], ids=ascii)
def test_a_million_of_anything_takes_no_time(unit: str) -> None:
    (vector,) = vectors(unit * (1_000_000 // len(unit)))
    assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-5)


def test_words_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "WORDS_KEPT_MAX", 10)
    model = HashingEmbedder()
    texts = [" ".join(f"word{number}x{each}" for each in range(7)) for number in range(20)]
    found = model.embed(texts, FakeContext(FakeInput(b"")))
    assert len(model._features) <= 10
    assert found == vectors(*texts), "what is kept does not change what is computed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The CAT, sat: on_it", ["the", "cat", "sat", "on", "it"]),
        ("naïve ﬁle Straße", ["naïve", "file", "strasse"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("日本語", ["日", "本", "語", "日本", "本語"]),
        ("Python3で書く", ["で", "書", "く", "で書", "書く", "python3"]),
        ("x" * 100, ["x" * 64]),
        ("!?…", []),
    ],
    ids=ascii,
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=200).filter(str.strip), st.sampled_from([64, 100, 512]))
def test_every_text_has_a_direction(text: str, dimensions: int) -> None:
    (vector,) = vectors(text, dimensions=dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-5)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("indexing of documents", "the document index", "cooking for beginners"),
        ("Kündigung des Vertrages", "Verträge kündigen", "Wetter von morgen"),
        ("公園を散歩する", "公園で散歩しました", "経済の発展"),
    ],
    ids=ascii,
)
def test_texts_that_share_words_or_parts_are_nearer(text: str, near: str, far: str) -> None:
    assert cosine(text, near) > cosine(text, far) + 0.1


def test_case_signs_and_space_do_not_count() -> None:
    assert vectors("Hello,  WORLD!") == vectors("hello\nworld")
