"""The dedup task: what is the same, what is near, what is neither; always against the plain definition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.domain.dedup_rules import DedupRequest
from ingest_server.handlers.dedup import dedup
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.selection.near import NearSets
from ingest_server.handlers.selection.shingles import normalised, shingles
from tests.unit.handlers.documents.conftest import document_of
from tests.unit.handlers.selection.conftest import context_of, document_with

WORDS = st.sampled_from(["red", "green", "blue", "Ünïcödé", "日本語", "สวัสดี", "7", "…", "STRASSE", "straße"])
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


def run(texts: list[str], similarity: float = 0.0) -> document_pb2.Document:
    """Dedup chunks."""
    return document_of(dedup(context_of(document_with(texts)), DedupRequest(similarity)))


def jaccard(left: set[int], right: set[int]) -> float:
    """The definition."""
    return len(left & right) / len(left | right)


def go_on() -> None:
    """Nobody cancels."""


@pytest.mark.parametrize("similarity", [-1.0, 0.29, 1.01, float("nan"), float("inf")])
def test_a_similarity_out_of_range_is_told(similarity: float) -> None:
    with pytest.raises(HandlerFailure) as caught:
        run(["a"], similarity)
    assert (caught.value.reason, caught.value.retryable) == ("INVALID_OPTIONS", False)
    assert f"similarity must be 0 (default) or 0.3 … 1, not {similarity:g}" in caught.value.message


@pytest.mark.timeout(60)
def test_many_chunks_that_share_a_boilerplate_do_not_take_quadratic_time() -> None:
    """A third of each of 3,000 chunks is the same: a search by any shared word would compare 4,500,000 pairs."""
    chance = random.Random(1)
    boilerplate = " ".join(f"b{number}" for number in range(30))
    texts = [boilerplate + " " + " ".join(f"w{chance.getrandbits(60)}" for _ in range(60)) for _ in range(3_000)]
    comparisons = 0

    def count() -> None:
        nonlocal comparisons
        comparisons += 1

    sets = [shingles(text) for text in texts]
    near = NearSets(0.8, sets, count)
    for members in sets:
        telling = near.telling(members)
        assert near.nearest(members, telling) is None
        near.add(members, telling)
    assert comparisons < len(texts)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "a ", "日", ". ", "\u0301", "ﬃ", "1.", "\ud7a3"], ids=ascii)
def test_a_million_of_anything_is_gone_over_once(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    shingles(normalised(text))


def test_the_same_text_in_other_case_space_and_form() -> None:
    document = run(["The ﬁle, Straße.", "the  file,\nSTRASSE.", "the file strasse", "other"], 1.0)
    assert [chunk.id for chunk in document.chunks] == ["c1", "c3", "c4"]
    (note,) = document.dropped_chunks
    assert (note.chunk_id, note.rule, note.kept_chunk_id, note.similarity) == ("c2", "same", "c1", 1.0)


def test_signs_do_not_count_where_near_is_asked_for() -> None:
    document = run(["One, two; three!", "one two three"])
    assert [(note.rule, note.similarity) for note in document.dropped_chunks] == [("near", 1.0)]


def test_near_at_and_below_the_threshold() -> None:
    """Ten words are eight shingles; the last changed is one other: 7 of 9 in common."""
    words = [f"w{number}" for number in range(10)]
    texts = [" ".join(words), " ".join([*words[:-1], "other"])]
    assert len(run(texts, 7 / 9).chunks) == 1
    assert run(texts, 7 / 9).dropped_chunks[0].similarity == pytest.approx(7 / 9)
    assert len(run(texts, 0.78).chunks) == 2
    assert len(run(texts).chunks) == 2, "0.8 by default"


def test_a_chunk_near_to_a_dropped_one_only_is_kept() -> None:
    words = [f"w{number}" for number in range(30)]

    def changed(count: int) -> str:
        return " ".join([*(f"x{number}" for number in range(count)), *words[count:]])

    document = run([changed(0), changed(3), changed(6)], 0.8)
    assert [chunk.id for chunk in document.chunks] == ["c1", "c3"]


def test_chinese_and_thai_are_compared_by_letters() -> None:
    long = "今天天气很好我们去公园散步吧然后一起吃饭看电影再回家休息"
    assert len(run([long, long[:-1] + "眠"]).chunks) == 1
    assert len(run([long, long[::-1]]).chunks) == 2


def test_short_chunks_and_signs_are_not_alike_by_chance() -> None:
    texts = ["", "a", "b", "a b", "b a", "!", "?", "a b c"]
    assert [chunk.text for chunk in run([*texts, *texts]).chunks] == texts


def test_documents_inside_are_one_with_the_outer_one() -> None:
    outer = document_with(["first text of all", "second text of all"], sha256="00")
    inner = outer.documents.add()
    inner.CopyFrom(document_with(["second text of all", "third text of all"], sha256="11"))
    inner.documents.add().CopyFrom(document_with(["third text of all"], sha256="22"))
    document = document_of(dedup(context_of(outer), DedupRequest()))
    inside = document.documents[0]
    assert [chunk.id for chunk in inside.chunks] == ["c2"]
    assert (inside.dropped_chunks[0].kept_chunk_id, inside.dropped_chunks[0].kept_sha256) == ("c2", "00")
    assert inside.documents[0].dropped_chunks[0].kept_sha256 == "11"


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=14), st.sampled_from([0.3, 0.5, 0.75, 0.8, 1.0]))
def test_it_is_what_comparing_each_with_all_kept_gives(texts: list[str], similarity: float) -> None:
    kept: list[tuple[str, set[int]]] = []
    expected = []
    for number, text in enumerate(texts, 1):
        plain = normalised(text)
        members = set(shingles(plain))
        near = similarity < 1 and any(jaccard(members, other) >= similarity for _, other in kept)
        if near or any(plain == other for other, _ in kept):
            continue
        kept.append((plain, members))
        expected.append(f"c{number}")
    document = run(texts, similarity)
    assert [chunk.id for chunk in document.chunks] == expected
    assert run([chunk.text for chunk in document.chunks], similarity).chunks[:] == [
        document_pb2.Chunk(id=f"c{number}", text=chunk.text, token_count=chunk.token_count)
        for number, chunk in enumerate(document.chunks, 1)
    ], "twice is once"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 40), min_size=1, max_size=20).map(sorted), min_size=1, max_size=20),
    st.floats(0.05, 1.0),
)
def test_no_near_set_is_missed_and_none_is_invented(sets: list[list[int]], similarity: float) -> None:
    near = NearSets(similarity, sets, go_on)
    for position, members in enumerate(sets):
        earlier = [jaccard(set(members), set(other)) for other in sets[:position]]
        expected = next(((number, value) for number, value in enumerate(earlier) if value >= similarity), None)
        telling = near.telling(members)
        assert near.nearest(members, telling) == expected
        near.add(members, telling)
