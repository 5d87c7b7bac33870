"""Templates: what the grammar refuses, what it takes, and what a path means by it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.rest.path_template import TemplateError, parse

BROKEN = [
    "v1/jobs",
    "//",
    "/v1//jobs",
    "/v1/",
    "/v1/{",
    "/v1/{}",
    "/v1/{job_id",
    "/v1/{job_id}x",
    "/v1/x{job_id}",
    "/v1/{1st}",
    "/v1/{a.}",
    "/v1/{.a}",
    "/v1/{a=}",
    "/v1/{a=*",
    "/v1/{a={b}}",
    "/v1/{a=b/}",
    "/v1/{a}/{a}",
    "/v1/**/{a=**}",
    "/v1/***",
    "/v1/*x",
    "/v1/jobs:",
    "/v1/:verb",
    "/v1/jobs?x=1",
    "/v1/jobs#x",
    "/v1/jo bs",
    "/v1/%zz",
    "/v1/}",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_template_that_breaks_the_grammar_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(text)):
        parse(text)


def test_an_empty_template_is_refused() -> None:
    with pytest.raises(TemplateError, match="the end"):
        parse("")


TAKEN = [
    ("/", [""], [], ""),
    ("/v1/jobs", ["v1", "jobs"], [], ""),
    ("/v1/jobs:submit", ["v1", "jobs"], [], "submit"),
    ("/v1/{job_id}", ["v1", "*"], [("job_id", 1, 2)], ""),
    ("/v1/{job_id}:run", ["v1", "*"], [("job_id", 1, 2)], "run"),
    ("/v1/*/x/**", ["v1", "*", "x", "**"], [], ""),
    ("/{a.b.c=x/*/**}/y/{d=*}:v", ["x", "*", "**", "y", "*"], [("a.b.c", 0, 3), ("d", 4, 5)], "v"),
    ("/v1/{name=shelves/*/books/*}", ["v1", "shelves", "*", "books", "*"], [("name", 1, 5)], ""),
    ("/v1/a.b-c_d~e", ["v1", "a.b-c_d~e"], [], ""),
    ("/v1/{n=a:b}/c", ["v1", "a:b", "c"], [("n", 1, 2)], ""),
    ("/v1/jobs:a/b", ["v1", "jobs:a", "b"], [], ""),  # a literal may have a colon, by RFC 3986
    ("/v1/x:y:z", ["v1", "x:y"], [], "z"),
]


@pytest.mark.parametrize(("text", "segments", "variables", "verb"), TAKEN)
def test_a_template_is_taken_apart(text: str, segments: list[str], variables: list[tuple[str, int, int]], verb: str) -> None:
    template = parse(text)
    assert list(template.segments) == segments
    assert [(".".join(item.field_path), item.begin, item.end) for item in template.variables] == variables
    assert template.verb == verb


MATCHES = [
    ("/v1/jobs", "/v1/jobs", {}),
    ("/v1/jobs", "/v1/jobs/", None),
    ("/v1/jobs", "/v1/Jobs", None),
    ("/v1/{a}", "/v1/", {"a": ""}),  # an empty segment is one, as in grpc-gateway
    ("/v1/{a}", "/v1", None),
    ("/v1/{a}", "/v1/x/y", None),
    ("/v1/{a}", "/v1/x:y", {"a": "x:y"}),  # a colon is part of the value where the template has no verb
    ("/v1/{a}:run", "/v1/x:run", {"a": "x"}),
    ("/v1/{a}:run", "/v1/x:y:run", {"a": "x:y"}),
    ("/v1/{a}:run", "/v1/x", None),
    ("/v1/{a}:run", "/v1/:run", None),
    ("/v1/{a=**}", "/v1", {"a": ""}),
    ("/v1/{a=**}", "/v1/", {"a": ""}),
    ("/v1/{a=**}", "/v1/x/y/z", {"a": "x/y/z"}),
    ("/v1/{a=**}/end", "/v1/x/y/end", {"a": "x/y"}),
    ("/v1/{a=**}/end", "/v1/end", {"a": ""}),
    ("/v1/{a=**}/end", "/v1/x/y", None),
    ("/v1/{a=**}:raw", "/v1/x/y:raw", {"a": "x/y"}),
    ("/v1/{a=x/*}/{b}", "/v1/x/1/2", {"a": "x/1", "b": "2"}),
    ("/v1/{a=x/**}/{b}", "/v1/x/1/2/3", {"a": "x/1/2", "b": "3"}),
    ("/v1/{a=x/**}/{b}", "/v1/y/1/2/3", None),
    ("/v1/*/{b}", "/v1/anything/2", {"b": "2"}),
]


@pytest.mark.parametrize(("text", "path", "bindings"), MATCHES)
def test_a_path_matches_or_not(text: str, path: str, bindings: dict[str, str] | None) -> None:
    assert parse(text).match(path) == bindings


words = st.sampled_from(["a", "b", "ab", "x:y"])
pieces = st.one_of(words, st.just("*"), st.just("{}"), words.map(lambda word: "{=%s/*}" % word))  # noqa: UP031
verbs = st.sampled_from(["", "go", "b"])


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Templates with at most one "**", numbered variables, and perhaps a verb."""
    parts = draw(st.lists(pieces, min_size=1, max_size=4))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from(["**", "{=**}", "{=a/**}"])))
    names = (f"v{number}" for number in range(10))
    text = "/" + "/".join(part.replace("{", "{" + next(names), 1) if part.startswith("{") else part for part in parts)
    verb = draw(verbs)
    # A literal with a colon at the end would itself be read as one with a verb.
    return f"{text}:{verb}" if verb else text if not text.endswith("x:y") else text + "/a"


def as_expression(text: str) -> re.Pattern[str]:
    """The same template as a regular expression: another way to say what it matches."""
    template = parse(text)
    found = ""
    for index, segment in enumerate(template.segments):
        for variable in template.variables:
            if variable.end == index:
                found += ")"
        opening = "".join(f"(?P<{item.field_path[0]}>" for item in template.variables if item.begin == index)
        found += opening + {"*": "/[^/]*", "**": "(?:/.*)?"}.get(segment, "/" + re.escape(segment))
    found += ")" * sum(variable.end == len(template.segments) for variable in template.variables)
    return re.compile(found + (f"(?<=[^/]):{template.verb}" if template.verb else ""), re.DOTALL)


@given(templates(), st.lists(st.sampled_from(["a", "b", "ab", "x:y", "", "b:go", ":go"]), min_size=1, max_size=6), verbs)
def test_matching_says_what_a_regular_expression_says(text: str, parts: list[str], verb: str) -> None:
    path = "/" + "/".join(parts) + (f":{verb}" if verb else "")
    meant = as_expression(text).fullmatch(path)
    found = parse(text).match(path)
    assert (found is None) == (meant is None), (text, path)
    if found is not None and meant is not None:
        assert found == {name: (value or "").removeprefix("/") for name, value in meant.groupdict().items()}
