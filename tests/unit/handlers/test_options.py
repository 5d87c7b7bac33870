"""Options: strict, closed, fresh for every attempt; the schema says the same as the decoder does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import jsonschema_rs
import msgspec
import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.handlers.options import InvalidOptions, OptionsCodec, plain_struct, schema_of


@dataclass
class Part:
    pages: list[int] = field(default_factory=list)


@dataclass
class Options:
    width: int
    scale: float = 1.0
    mode: Literal["fast", "good"] = "good"
    part: Part | None = None


class Tree(msgspec.Struct):
    children: list[Tree] = []


def test_good_options_become_the_handlers_own_type() -> None:
    codec = OptionsCodec(Options)
    made = codec.decode(codec.encode({"width": 3, "scale": 2, "part": {"pages": [1]}}))
    assert made == Options(3, 2.0, "good", Part([1]))


def test_every_attempt_gets_options_of_its_own() -> None:
    codec = OptionsCodec(Options)
    data = codec.encode({"width": 3, "part": {"pages": [1]}})
    codec.decode(data).part.pages.append(2)
    assert codec.decode(data).part.pages == [1]


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({}, "width"),
        ({"width": "3"}, "width"),
        ({"width": 3.5}, "width"),
        ({"width": True}, "width"),
        ({"width": 3, "mode": "best"}, "mode"),
        ({"width": 3, "part": {"pages": ["x"]}}, "part.pages"),
        ({"width": 3, "heigth": 4}, "unknown option 'heigth'; known options: mode, part, scale, width"),
    ],
)
def test_bad_options_name_the_field(plain: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidOptions, match=words):
        OptionsCodec(Options).encode(plain)


def test_a_post_init_that_raises_is_a_mistake_in_the_options() -> None:
    @dataclass
    class Positive:
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ArithmeticError("x must not be negative")

    with pytest.raises(InvalidOptions, match="x must not be negative"):
        OptionsCodec(Positive).encode({"x": -1})


@given(
    st.dictionaries(
        st.sampled_from(["width", "scale", "mode", "extra"]),
        st.one_of(st.integers(-5, 5), st.booleans(), st.floats(-5, 5), st.sampled_from(["fast", "x"]), st.none()),
    )
)
def test_schema_and_decoder_agree(plain: dict[str, object]) -> None:
    struct = struct_pb2.Struct()
    struct.update(plain)  # type: ignore[arg-type]
    values = plain_struct(struct)
    valid = jsonschema_rs.validator_for(json.loads(schema_of(Options))).is_valid(values)
    try:
        OptionsCodec(Options).encode(values)
    except InvalidOptions:
        assert not valid
    else:
        assert valid


def test_schemas() -> None:
    assert json.loads(schema_of(None)) == {"type": "object", "properties": {}, "additionalProperties": False}
    schema = json.loads(schema_of(Options))
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["width"], False)
    assert set(schema["properties"]) == {"width", "scale", "mode", "part"}
    validator = jsonschema_rs.validator_for(json.loads(schema_of(Tree)))
    assert validator.is_valid({"children": [{"children": []}]})
    assert not validator.is_valid({"children": [{"children": 7}]})


def test_numbers_of_a_struct() -> None:
    struct = struct_pb2.Struct()
    struct.update({"a": 3, "b": 2.5, "c": [1, {"d": None}], "e": 2.0**60, "f": True, "g": "x"})
    plain = plain_struct(struct)
    assert plain == {"a": 3, "b": 2.5, "c": [1, {"d": None}], "e": 2.0**60, "f": True, "g": "x"}
    assert [type(plain[name]) for name in "abe"] == [int, float, float]
