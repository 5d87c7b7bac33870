"""Which models there are: entries of settings, names of jobs, and what is refused."""

from __future__ import annotations

import pytest

from ingest_server.domain.embed_rules import EmbedModels, EmbedRequest

MODELS = EmbedModels.read("small", ["own=http://127.0.0.1:11434/v1/", "open.ai=https://api.openai.com/v1"], ["small=/models/a"])


@pytest.mark.parametrize(
    ("endpoints", "local", "told"),
    [
        (["own"], [], "must be NAME=VALUE"),
        (["=http://h"], [], "must be NAME=VALUE"),
        (["Own=http://h"], [], "must be NAME=VALUE"),
        (["own="], [], "must be NAME=VALUE"),
        (["own=http://h", "own=http://i"], [], "names 'own' twice"),
        (["own=ftp://h"], [], "must have an http or https URL for 'own'"),
        (["own=http://"], [], "must have an http or https URL for 'own'"),
        (["own=http://h:99999"], [], "must have an http or https URL for 'own'"),
        (["own=http://h\u00e9"], [], "must have an http or https URL for 'own'"),
        (["own=http://h/" + "x" * 2_048], [], "must have an http or https URL for 'own'"),
        (["own=http://user:secret@h"], [], "without user, query and fragment"),
        (["own=http://h?key=secret"], [], "without user, query and fragment"),
        (["own=http://h#x"], [], "without user, query and fragment"),
        ([], ["hashing-1=/models"], "hashing-1 is the built-in model"),
        ([], ["a/b=/models"], "must be NAME=VALUE"),
    ],
)
def test_bad_entries_are_told_without_their_values(endpoints: list[str], local: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*secret)") as caught:
        EmbedModels.read("hashing-1", endpoints, local)
    assert told in str(caught.value)


def test_a_default_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="the default model 'small' must be one of small, hashing-1, not 'small'"):
        EmbedModels.read("small", [], [])


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("", ("small", "", "small")),
        ("small", ("small", "", "small")),
        ("hashing-1", ("hashing-1", "", "hashing-1")),
        ("own/nomic:latest", ("own/nomic:latest", "own", "nomic:latest")),
        ("open.ai/org/model", ("open.ai/org/model", "open.ai", "org/model")),
    ],
)
def test_names_lead_to_models(model: str, found: tuple[str, str, str]) -> None:
    assert tuple(MODELS.choose(model)) == found
    assert MODELS.fault_of(model) == ""


@pytest.mark.parametrize("model", ["own", "own/", "own/a b", "own/é", "other/m", "/m", "http://elsewhere/m", "../small", "SMALL"])
def test_other_names_are_refused_with_what_there_is(model: str) -> None:
    assert "must be one of small, hashing-1, own/*, open.ai/*, not " in MODELS.fault_of(model)


def test_a_url_has_no_slash_at_its_end() -> None:
    assert MODELS.endpoints["own"] == "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("model", "dimensions", "faults"),
    [
        ("own/m", 0, 0),
        ("own/m", 16_384, 0),
        ("own/m", 16_385, 1),
        ("own/m", -1, 1),
        ("small", 0, 0),
        ("small", 256, 1),
        ("hashing-1", 64, 0),
        ("hashing-1", 63, 1),
    ],
)
def test_dimensions_are_within_what_the_model_leaves(model: str, dimensions: int, faults: int) -> None:
    assert len(list(EmbedRequest(model, dimensions).faults(MODELS))) == faults
