"""Protojson: what is refused and how it is told; what is read and written, against protobuf's own json_format."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf import any_pb2, duration_pb2, json_format, struct_pb2, timestamp_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_server.rest.errors import RestError
from ingest_server.rest.fields import is_map, is_repeated
from ingest_server.rest.json_decode import fill_message, read_json
from ingest_server.rest.json_encode import write_json
from tests.fakes.rest.things import message_class

DEPTH_MAX = 20


def read(body: str | bytes) -> Any:
    """A Thing from JSON."""
    thing = message_class("Thing")()
    fill_message(thing, read_json(body.encode() if isinstance(body, str) else body, DEPTH_MAX))
    return thing


REFUSED: list[tuple[str | bytes, str, str]] = [
    # body, path of the field told, part of the message
    ("", "body", "not JSON"),
    ("{", "body", "not JSON"),
    ('{"text":}', "body", "not JSON"),
    ("{'text':'x'}", "body", "not JSON"),
    ('{"text":"x"} {}', "body", "not JSON"),
    ('{"text":"x",}', "body", "not JSON"),
    ('{"text":"\x01"}', "body", "not JSON"),
    (b'\xef\xbb\xbf{"text":"x"}', "body", "not JSON"),
    (b'{"text":"\xff"}', "body", "not UTF-8: byte 9 is 0xff"),
    (b'{"text":"\xed\xa0\x80"}', "body", "not UTF-8"),
    ('{"doubleValue":NaN}', "body", "NaN is not JSON"),
    ('{"int32Value":' + "9" * 5_000 + "}", "body", "not JSON"),
    ('{"value":' + "[" * 30 + "]" * 30 + "}", "body", "nested deeper than 20 levels"),
    ('{"value":' + "[" * 5_000 + "]" * 5_000 + "}", "body", "nested deeper than 20 levels"),
    ("null", "body", "must be an object, not null"),
    ("[]", "body", "must be an object, not an array"),
    ('"x"', "body", 'must be an object, not "x"'),
    ('{"text":1}', "text", "must be a string, not 1"),
    ('{"text":{}}', "text", "must be a string, not an object"),
    ('{"text":"\\ud800"}', "text", "half of a surrogate pair"),
    ('{"text":"a","text":"b"}', "text", "given twice"),
    ('{"int32Value":1,"int32_value":1}', "int32_value", "given twice"),
    ('{"int32Value":1.5}', "int32_value", "must be a 32-bit integer, not 1.5"),
    ('{"int32Value":"1 "}', "int32_value", "must be a 32-bit integer"),
    ('{"int32Value":"١"}', "int32_value", "must be a 32-bit integer"),
    ('{"int32Value":true}', "int32_value", "not true"),
    ('{"int32Value":2147483648}', "int32_value", "not 2147483648"),
    ('{"uint32Value":-1}', "uint32_value", "not -1"),
    ('{"uint64Value":"18446744073709551616"}', "uint64_value", "unsigned 64-bit"),
    ('{"int64Value":[]}', "int64_value", "not an array"),
    ('{"flag":"true"}', "flag", "must be true or false"),
    ('{"flag":0}', "flag", "must be true or false"),
    ('{"doubleValue":"x"}', "double_value", "must be a number"),
    ('{"doubleValue":1e400}', "double_value", "larger than a double"),
    ('{"doubleValue":"1e400"}', "double_value", "larger than a double"),
    ('{"floatValue":1e39}', "float_value", "larger than a float"),
    ('{"floatValue":true}', "float_value", "must be a number, not true"),
    ('{"data":"a"}', "data", "not base64"),
    ('{"data":"a=b="}', "data", "not base64"),
    ('{"data":"????"}', "data", "not base64"),
    ('{"data":1}', "data", "base64"),
    ('{"colour":"GREEN"}', "colour", '"GREEN" is no name of a Colour; use one of COLOUR_UNSPECIFIED, COLOUR_RED'),
    ('{"colours":["COLOUR_RED","1"]}', "colours[1]", "no name of a Colour"),
    ('{"coloursByName":{"a":"NO"}}', "colours_by_name.a", "no name of a Colour"),
    ('{"colour":1.5}', "colour", "name of a Colour"),
    ('{"colour":true}', "colour", "name of a Colour"),
    ('{"part":[]}', "part", "must be an object"),
    ('{"part":{"part":{"number":"x"}}}', "part.part.number", "must be a 32-bit integer"),
    ('{"texts":"a"}', "texts", "must be an array"),
    ('{"texts":["a",null]}', "texts[1]", "not null"),
    ('{"texts":{"0":"a"}}', "texts", "must be an array, not an object"),
    ('{"parts":[{},{"tags":["a",1]}]}', "parts[1].tags[1]", "must be a string"),
    ('{"parts":[null]}', "parts[0]", "not null"),
    ('{"labels":[]}', "labels", "must be an object"),
    ('{"labels":{"a":1}}', "labels.a", "must be a string"),
    ('{"labels":{"a":"x","a":"y"}}', "labels.a", "given twice"),
    ('{"partsByNumber":{"x":{}}}', "parts_by_number.x", "64-bit integer"),
    ('{"doublesByFlag":{"yes":1}}', "doubles_by_flag.yes", "true or false"),
    ('{"choiceText":"a","choiceNumber":1}', "choice_number", "second of 'choice'"),
    ('{"time":"yesterday"}', "time", "must be a time"),
    ('{"time":"2026-02-30T00:00:00Z"}', "time", "must be a time"),
    ('{"time":"0001-01-01T00:00:00+01:00"}', "time", "must be"),
    ('{"time":1}', "time", "must be a time"),
    ('{"duration":"1h"}', "duration", "in seconds"),
    ('{"duration":"315576000001s"}', "duration", "in seconds"),
    ('{"duration":1.5}', "duration", "in seconds"),
    ('{"mask":["a"]}', "mask", "paths joined by commas"),
    ('{"mask":"a_b"}', "mask", "lowerCamelCase"),
    ('{"struct":[]}', "struct", "must be an object"),
    ('{"struct":{"a":1,"a":2}}', "struct.a", "given twice"),
    ('{"struct":{"a":{"b":1e999}}}', "struct.a.b", "larger than a double"),
    ('{"list":{}}', "list", "must be an array"),
    ('{"int32Box":"x"}', "int32_box", "32-bit integer"),
    ('{"any":{"text":"x"}}', "any", "cannot be read"),
    ('{"any":{"@type":"type.googleapis.com/no.Such"}}', "any", "cannot be read"),
    ('{"any":[]}', "any", "must be an object"),
]


@pytest.mark.parametrize(("body", "field", "told"), REFUSED)
def test_a_bad_body_is_refused_with_its_field(body: str | bytes, field: str, told: str) -> None:
    with pytest.raises(RestError) as caught:
        read(body)
    assert caught.value.http_status == 400
    assert told in caught.value.status.message
    violations = error_details_pb2.BadRequest()
    assert caught.value.status.details[1].Unpack(violations)
    assert [item.field for item in violations.field_violations] == [field]


TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("{}", {}),
    (' {"text" : "x"} \n', {"text": "x"}),
    ('{"text":null,"part":null,"texts":null,"labels":null,"time":null,"int32Box":null}', {}),
    ('{"unknown":{"deep":[1,{"x":null}]},"text":"x"}', {"text": "x"}),
    ('{"colour":"COLOUR_RED"}', {"colour": 1}),
    ('{"colour":2}', {"colour": 2}),
    ('{"colour":99}', {"colour": 99}),
    ('{"int32_value":"7","int64Value":1e3,"uint64Value":18446744073709551615}', {"int32_value": 7, "int64_value": 1000}),
    ('{"int32Value":"1.0e1"}', {"int32_value": 10}),
    ('{"doubleValue":"-Infinity","floatValue":"1.5"}', {"double_value": -math.inf, "float_value": 1.5}),
    ('{"data":"+/+/"}', {"data": b"\xfb\xff\xbf"}),
    ('{"data":"-_-_"}', {"data": b"\xfb\xff\xbf"}),
    ('{"data":"YQ"}', {"data": b"a"}),
    ('{"data":""}', {}),
    ('{"maybeNumber":0}', {"maybe_number": 0}),
    ('{"choiceText":null,"choiceNumber":"5"}', {"choice_number": 5}),
    ('{"time":"2026-01-31T12:00:00.5+01:00"}', {"time": timestamp_pb2.Timestamp(seconds=1769857200, nanos=500_000_000)}),
    ('{"duration":"-1.5s"}', {"duration": duration_pb2.Duration(seconds=-1, nanos=-500_000_000)}),
    ('{"value":null}', {"value": struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)}),
    ('{"text":"\\ud83d\\ude00"}', {"text": "😀"}),
]


@pytest.mark.parametrize(("body", "fields"), TAKEN)
def test_a_body_is_read(body: str, fields: dict[str, Any]) -> None:
    read_as = read(body)
    meant = message_class("Thing")(**fields)
    if "uint64Value" in body:
        meant.uint64_value = 2**64 - 1
    assert read_as == meant
    for name in ("maybe_number", "part", "time", "int32_box", "value"):
        assert read_as.HasField(name) == meant.HasField(name)


# ---- against json_format

Anything = st.SearchStrategy[Any]
texts = st.text(st.characters(codec="utf-8"), max_size=8)


def one_nan(value: float) -> float:
    """Of the many NaNs one, the only one that JSON can name."""
    return math.nan if math.isnan(value) else value


doubles = st.floats(width=64).map(one_nan)
singles = st.floats(width=32).map(one_nan)
colours = st.integers(0, 3)
parts: Anything = st.builds(dict, text=texts, number=st.integers(-(2**31), 2**31 - 1), tags=st.lists(texts, max_size=2))
leaves: Anything = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts
trees: Anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
times = st.builds(
    timestamp_pb2.Timestamp, seconds=st.integers(-62_135_596_800, 253_402_300_799), nanos=st.integers(0, 999_999_999)
)


@st.composite
def durations(draw: st.DrawFn) -> duration_pb2.Duration:
    sign = draw(st.sampled_from([1, -1]))
    seconds = draw(st.integers(0, 315_576_000_000))
    return duration_pb2.Duration(seconds=sign * seconds, nanos=sign * draw(st.sampled_from([0, 5 * 10**8, 1, 999_999_999])))


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "data": st.binary(max_size=5),
    "flag": st.booleans(),
    "int32_value": st.integers(-(2**31), 2**31 - 1),
    "int64_value": st.integers(-(2**63), 2**63 - 1),
    "uint32_value": st.integers(0, 2**32 - 1),
    "uint64_value": st.integers(0, 2**64 - 1),
    "sint32_value": st.integers(-(2**31), 2**31 - 1),
    "fixed64_value": st.integers(0, 2**64 - 1),
    "float_value": singles,
    "double_value": doubles,
    "colour": colours,
    "part": parts,
    "texts": st.lists(texts, max_size=3),
    "numbers": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    "colours": st.lists(colours, max_size=3),
    "parts": st.lists(parts, max_size=3),
    "labels": st.dictionaries(texts, texts, max_size=3),
    "doubles_by_flag": st.dictionaries(st.booleans(), doubles, max_size=2),
    "colours_by_name": st.dictionaries(texts, colours, max_size=2),
    "maybe_number": st.integers(-5, 5),
    "maybe_text": texts,
    "choice_text": texts,
    "time": times,
    "duration": durations(),
    "floats": st.lists(singles, max_size=3),
    "times": st.lists(times, max_size=2),
    "empty": st.just({}),
}
BOXES: dict[str, st.SearchStrategy[Any]] = {
    "string_box": texts,
    "bytes_box": st.binary(max_size=4),
    "bool_box": st.booleans(),
    "int32_box": st.integers(-5, 5),
    "int64_box": st.integers(-(2**63), 2**63 - 1),
    "uint32_box": st.integers(0, 5),
    "uint64_box": st.integers(0, 2**64 - 1),
    "float_box": singles,
    "double_box": doubles,
}


@st.composite
def filled(draw: st.DrawFn) -> Any:
    """Things with some fields set."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=8))
    thing = message_class("Thing")(**{name: draw(FIELDS[name]) for name in sorted(names)})
    for name in sorted(draw(st.sets(st.sampled_from(sorted(BOXES)), max_size=3))):
        getattr(thing, name).value = draw(BOXES[name])
    for name in draw(st.sets(st.sampled_from(["struct", "value", "list", "any", "mask", "map"]), max_size=2)):
        if name == "struct":
            thing.struct.update(draw(st.dictionaries(texts, trees, max_size=2)))
        elif name == "value":
            json_format.ParseDict(draw(trees), thing.value)
        elif name == "list":
            thing.list.extend(draw(st.lists(trees, max_size=2)))
        elif name == "any":
            inner = draw(st.sampled_from([message_class("Part")(text="in"), duration_pb2.Duration(seconds=5)]))
            thing.any.Pack(inner)
        elif name == "mask":
            thing.mask.paths.extend(draw(st.lists(st.sampled_from(["a", "a_b", "part.text_x"]), max_size=3)))
        else:
            for key in draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2)):
                thing.parts_by_number[key].text = "p"
    return thing


def with_nulls(message: Message, tree: Any) -> Any:
    """What json_format wrote, and null for each message that is unset outside a oneof, which it has no option for."""
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        kind = field.message_type
        if kind is None or (is_map(field) and field.message_type.fields_by_name["value"].message_type is None):
            continue
        value = getattr(message, field.name)
        known = kind.file.name.startswith("google/protobuf")
        if is_map(field):
            for key in value:
                with_nulls(value[key], tree[field.json_name][str(key)])
        elif is_repeated(field):
            if not known:
                for item, part in zip(value, tree[field.json_name], strict=True):
                    with_nulls(item, part)
        elif message.HasField(field.name):
            if not known:
                with_nulls(value, tree[field.json_name])
        elif field.containing_oneof is None:
            tree[field.json_name] = None
    return tree


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(filled())
def test_what_is_written_is_what_json_format_writes_and_null_for_unset_messages(thing: Any) -> None:
    written = json.loads(write_json(thing))
    meant = with_nulls(thing, json_format.MessageToDict(thing, always_print_fields_with_no_presence=True))
    if thing.HasField("any") and "part" in written["any"]:
        meant["any"]["part"] = None
    assert written == meant


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(filled())
def test_what_is_written_is_read_back_as_the_same_message(thing: Any) -> None:
    found = read(write_json(thing))
    if not thing.HasField("value"):
        found.ClearField("value")  # an unset Value is written as null, which is also how a Value of null is written
    assert found.SerializeToString(deterministic=True) == thing.SerializeToString(deterministic=True)


SCALARS = [
    "text",
    "flag",
    "int32_value",
    "int64_value",
    "uint32_value",
    "uint64_value",
    "double_value",
    "colour",
    "texts",
]
junk: Anything = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(-1e30, 1e30) | st.sampled_from(
    ["", "1", "-1", "1.0", "1e2", "1.5", " 1", "x", "true", "NaN", "COLOUR_RED", "RED", "0x1", "01"]
) | st.just([]) | st.just({}) | st.lists(st.just("a"), max_size=2)  # fmt: skip


@given(st.sampled_from(SCALARS), junk)
def test_a_value_is_refused_where_json_format_refuses_it_and_else_means_the_same(name: str, value: Any) -> None:
    if name in ("int32_value", "int64_value", "uint32_value", "uint64_value") and value in ("1e2", "1.0", "01"):
        return  # protobuf-go takes a string with a fraction or an exponent if it is an integer, and no leading zero
    if name == "double_value" and (isinstance(value, bool) or value in ("01", " 1")):
        return  # json_format takes what Python's float() takes
    if name == "colour" and not (value in ("COLOUR_RED", [], {}) or (type(value) is int and abs(value) < 2**31)):
        return  # json_format takes what Python's int() takes
    if name == "texts" and value == {}:
        return  # json_format iterates over the keys of an object as if it were an array
    if name == "flag" and value == "true":
        return  # json_format takes words for booleans nowhere but as keys; kept out because versions differ
    try:
        meant = json_format.ParseDict({name: value}, message_class("Thing")(), ignore_unknown_fields=True)
    except json_format.ParseError:
        meant = None
    try:
        found = read(json.dumps({name: value}))
    except RestError:
        found = None
    assert found == meant


def test_a_detail_of_a_type_not_known_here_keeps_its_bytes() -> None:
    status = status_pb2.Status(code=5, details=[any_pb2.Any(type_url="type.googleapis.com/no.Such", value=b"\x08\x01")])
    assert json.loads(write_json(status)) == {
        "code": 5,
        "message": "",
        "details": [{"@type": "type.googleapis.com/no.Such", "value": "CAE="}],
    }


@pytest.mark.parametrize(
    "message",
    [timestamp_pb2.Timestamp(seconds=1 << 60), timestamp_pb2.Timestamp(nanos=-1), duration_pb2.Duration(seconds=1, nanos=-1)],
)
def test_what_has_no_form_in_json_is_told(message: Message) -> None:
    with pytest.raises(ValueError, match=r"Timestamp|Duration"):
        write_json(message)
