"""JSON objects one after another: found whatever the pieces they come in; rubbish refused, size limited."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ingest_server.rest.errors import RestError
from ingest_server.rest.json_splitter import JsonSplitter

VALUES: list[Any] = [
    {},
    {"a": '}{"\\', "b": [1, {"c": "]"}]},
    {"text": 'a"b\\"c\\\\', "ü": "\n{"},
    {"deep": {"er": {"est": [[[]]]}}},
    {"escaped": "\\\\\\\\"},
]


@pytest.mark.parametrize("separator", ["", "\n", " \r\n\t "])
@pytest.mark.parametrize("seed", range(20))
def test_objects_are_found_whatever_the_pieces(separator: str, seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.choice(VALUES) for _ in range(6)]
    text = separator.join(json.dumps(value, indent=chance.choice([None, 2])) for value in values).encode() + separator.encode()
    splitter = JsonSplitter(10_000)
    found = []
    while text:
        size = chance.randint(1, 9)
        found += splitter.feed(text[:size])
        text = text[size:]
    splitter.finish()
    assert [json.loads(each) for each in found] == values


@pytest.mark.parametrize("body", [b"[1]", b"x", b'{"a":1}, {"b":2}', b'"text"', b"\xff", b"}"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RestError, match="objects one after another"):
        JsonSplitter(100).feed(body)


@pytest.mark.parametrize("body", [b"{", b'{"a', b'{"a":"\\', b'{}{"'])
def test_an_end_in_the_middle_is_refused(body: bytes) -> None:
    splitter = JsonSplitter(100)
    splitter.feed(body)
    with pytest.raises(RestError, match="in the middle"):
        splitter.finish()


def test_one_object_has_a_size_and_many_have_not() -> None:
    splitter = JsonSplitter(100)
    for _ in range(50):
        assert len(splitter.feed(b'{"a":"%s"}' % (b"x" * 80))) == 1
    with pytest.raises(RestError) as caught:
        splitter.feed(b'{"a":"' + b"x" * 100)
    assert "100 bytes" in caught.value.status.message
