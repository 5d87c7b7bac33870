"""Query parameters and path variables: what is refused and how it is told, and what reaches the message."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.rest.errors import RestError
from ingest_server.rest.query import fill, read_pairs
from ingest_server.rest.routes import Match, RouteTable
from tests.fakes.rest import things

PARAMETERS_MAX = 50


def route(verb: str, path: str) -> Match:
    found = RouteTable([things.service()]).match(verb, path)
    assert found is not None
    return found


def filled(query: str, path: str = "/t/query", verb: str = "GET") -> Any:
    """The request that a query and a path make."""
    match = route(verb, path)
    message = match.route.input_class()
    fill(message, match.route, match.bindings, read_pairs(query, PARAMETERS_MAX))
    return message


REFUSED = [
    ("int32_value=x", "int32_value", "'x' is not a 32-bit integer"),
    ("int32Value=1.0", "int32Value", "not a 32-bit integer"),
    ("int32_value=2147483648", "int32_value", "not a 32-bit integer"),
    ("int32_value=", "int32_value", "not a 32-bit integer"),
    ("int32_value=1&int32_value=2", "int32_value", "takes one value, but 2 were given"),
    ("int32_value=1&int32_value=1", "int32_value", "takes one value"),
    ("uint64_value=-1", "uint64_value", "unsigned 64-bit"),
    ("int64_value=" + "9" * 40, "int64_value", "64-bit integer"),
    ("flag=yes", "flag", "neither true nor false"),
    ("double_value=1e", "double_value", "not a number"),
    ("double_value=--1", "double_value", "not a number"),
    ("double_value=1e999", "double_value", "too large"),
    ("float_value=1e39", "float_value", "too large"),
    ("data=%3F", "data", "not base64"),
    ("colour=GREEN", "colour", "use one of COLOUR_UNSPECIFIED, COLOUR_RED"),
    ("colour=7", "colour", "not a valid value"),
    ("colours=COLOUR_RED&colours=x", "colours", "not a valid value"),
    ("text.x=1", "text.x", "'text' is not a message"),
    ("texts.x=1", "texts.x", "'texts' is not a message"),
    ("parts.text=1", "parts.text", "'parts' is not a message"),
    ("parts=1", "parts", "cannot be written in a URL"),
    ("part=1", "part", "cannot be written in a URL"),
    ("labels=1", "labels", "write labels[key]=value"),
    ("labels[a]=1&labels[a]=2", "labels", "each key once"),
    ("parts_by_number[x]=1", "parts_by_number", "64-bit integer"),
    ("doubles_by_flag[true]=x", "doubles_by_flag", "not a number"),
    ("choice_text=a&choice_number=1", "choice_number", "'choice_text' of the oneof 'choice' is set already"),
    ("choice_part.text=a&choice_text=1", "choice_text", "set already"),
    ("time=yesterday", "time", "is no time"),
    ("duration=5", "duration", "is no duration"),
    ("duration=1d", "duration", "is no duration"),
    ("duration=99999999999h", "duration", "longer than 292 years"),
    ("struct=[]", "struct", "is not JSON for a google.protobuf.Struct"),
    ("struct={", "struct", "is not JSON"),
    ("value=" + "[" * 2_000, "value", "is not JSON"),
    ("int32_box=x", "int32_box", "32-bit integer"),
    ("any=1", "any", "cannot be written in a URL"),
]


@pytest.mark.parametrize(("query", "field", "told"), REFUSED)
def test_a_bad_parameter_is_refused_with_its_field(query: str, field: str, told: str) -> None:
    with pytest.raises(RestError) as caught:
        filled(query)
    assert caught.value.http_status == 400
    assert caught.value.status.message.startswith(f"{field}: ")
    assert told in caught.value.status.message


@pytest.mark.parametrize(("path", "field"), [("/t/numbers/x/1/1", "int32_value"), ("/t/values/1/maybe/1", "flag")])
def test_a_bad_path_variable_is_refused_with_its_field(path: str, field: str) -> None:
    with pytest.raises(RestError, match=f"^{field}: "):
        filled("", path)


def test_a_query_that_is_not_utf8_or_too_long_is_refused() -> None:
    with pytest.raises(RestError, match="not UTF-8"):
        filled("text=%ff")
    with pytest.raises(RestError, match="more than 50 parameters"):
        filled("&".join(f"texts={number}" for number in range(51)))


TAKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("/t/query", "", {}),
    ("/t/query", "text=a%20b+c%26", {"text": "a b c&"}),
    ("/t/query", "text=", {"text": ""}),
    ("/t/query", "nothing=1&no.such.path=2&part.nothing=3", {}),
    ("/t/query", "int32_value=%2B5&int64Value=-9223372036854775808", {"int32_value": 5, "int64_value": -(2**63)}),
    ("/t/query", "flag=T&double_value=-inf&float_value=.5", {"flag": True, "double_value": float("-inf"), "float_value": 0.5}),
    ("/t/query", "data=-_-_", {"data": b"\xfb\xff\xbf"}),
    ("/t/query", "colour=COLOUR_BLUE&colours=1&colours=COLOUR_RED", {"colour": 2, "colours": [1, 1]}),
    ("/t/query", "part.part.text=x&part.number=3", {"part": {"number": 3, "part": {"text": "x"}}}),
    ("/t/query", "texts=a,b&texts=c", {"texts": ["a,b", "c"]}),  # commas separate ids only
    ("/t/query", "other_ids=a,b&otherIds=c", {"other_ids": ["a", "b", "c"]}),
    ("/t/query", "labels[a]=1&labels[b.c]=2", {"labels": {"a": "1", "b.c": "2"}}),
    ("/t/query", "labels%5Ba%5D=1", {"labels": {"a": "1"}}),
    ("/t/query", "doublesByFlag[true]=1.5", {"doubles_by_flag": {True: 1.5}}),
    ("/t/query", "maybe_number=0", {"maybe_number": 0}),
    ("/t/query", "string_box=&int64_box=5", {"string_box": {"value": ""}, "int64_box": {"value": 5}}),
    ("/t/query", "duration=1h2m3.5s", {"duration": {"seconds": 3723, "nanos": 500_000_000}}),
    ("/t/query", "duration=-1500ms", {"duration": {"seconds": -1, "nanos": -500_000_000}}),
    ("/t/query", "time=1970-01-01T00:00:01.5Z", {"time": {"seconds": 1, "nanos": 500_000_000}}),
    ("/t/query", "mask=a,part.number,int32Value", {"mask": {"paths": ["a", "part.number", "int32_value"]}}),
    ("/t/things/a%20b", "text=ignored&flag=1", {"text": "a%20b", "flag": True}),  # the path is decoded before it is matched
    ("/t/shelves/1/books/2", "part.text=no&part.number=1", {"part": {"text": "shelves/1/books/2", "number": 1}}),
    ("/t/boxes/x/1.5s", "", {"string_box": {"value": "x"}, "duration": {"seconds": 1, "nanos": 500_000_000}}),
    ("/t/values/1.5/true/COLOUR_RED", "", {"double_value": 1.5, "flag": True, "colour": 1}),
]


@pytest.mark.parametrize(("path", "query", "fields"), TAKEN)
def test_path_and_query_reach_the_message(path: str, query: str, fields: dict[str, Any]) -> None:
    assert filled(query, path) == things.message_class("Thing")(**fields)


def test_the_query_does_not_touch_what_the_body_is() -> None:
    message = filled("part.text=x&text=y", "/t/part", "POST")
    assert message == things.message_class("Thing")(text="y")


SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8")),
    "int32_value": st.integers(-(2**31), 2**31 - 1),
    "uint64_value": st.integers(0, 2**64 - 1),
    "flag": st.booleans(),
    "double_value": st.floats(allow_nan=False),
    "texts": st.lists(st.text(st.characters(codec="utf-8")), max_size=3),
    "numbers": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
}


@given(st.fixed_dictionaries({}, optional=SIMPLE))
def test_what_is_written_into_a_url_is_what_is_read(fields: dict[str, Any]) -> None:
    written = {key: str(value).lower() if isinstance(value, bool) else value for key, value in fields.items()}
    assert filled(urlencode(written, doseq=True)) == things.message_class("Thing")(**fields)


@given(st.text(max_size=30))
def test_no_query_whatever_fails_but_with_a_refusal(query: str) -> None:
    refused = []
    for text in (
        query,
        f"int32_value={query}",
        f"duration={query}",
        f"time={query}",
        f"value={query}",
        f"{query}=1",
        f"a[{query}]=1",
    ):
        try:
            filled(text)
        except RestError as error:
            refused.append(error.http_status)
    assert set(refused) <= {400}
