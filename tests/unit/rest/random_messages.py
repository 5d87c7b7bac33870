"""Messages of any type with any valid content, for property tests: a hypothesis strategy made from descriptors."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from hypothesis import strategies as st

from ingest_server.rest.fields import is_map, is_repeated, message_type
from ingest_server.rest.openapi_schema import has_behavior

ITEMS_MAX = 2
DEPTH_MAX = 5
TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
WORD = st.text(st.sampled_from("abcxyz"), min_size=1, max_size=4)
_DETAILS = (
    error_details_pb2.ErrorInfo(reason="JOB_NOT_FOUND", domain="ingest", metadata={"job_id": "x"}),
    error_details_pb2.BadRequest(
        field_violations=[error_details_pb2.BadRequest.FieldViolation(field="jobs[0]", description="no")]
    ),
    error_details_pb2.RetryInfo(),
    error_details_pb2.DebugInfo(detail="of a kind the schema does not name"),
)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = DEPTH_MAX) -> Message:
    """A message whose required fields are set and whose others are or are not; JSON can be written of it."""
    known: Message | None = _well_known(draw, kind)
    if known is not None:
        return known
    message: Message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        needed = has_behavior(field, "REQUIRED")
        if not needed and (depth <= 0 or draw(st.booleans())):
            continue
        _set(draw, message, field, depth - 1, needed=needed)
    return message


def _set(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int, *, needed: bool) -> None:
    count = draw(st.integers(1 if needed else 0, ITEMS_MAX))
    if is_map(field):
        entry = message_type(field)
        target = getattr(message, field.name)
        for _ in range(count):
            key = draw(_scalar(entry.fields_by_name["key"]))
            value = entry.fields_by_name["value"]
            if value.message_type is None:
                target[key] = draw(_scalar(value))
            else:
                target[key].CopyFrom(draw(messages(message_type(value), depth)))
    elif field.message_type is None:
        if is_repeated(field):
            getattr(message, field.name).extend([draw(_scalar(field)) for _ in range(count)])
        else:
            setattr(message, field.name, draw(_scalar(field)))
    elif is_repeated(field):
        for _ in range(count):
            getattr(message, field.name).add().CopyFrom(draw(messages(message_type(field), depth)))
    else:
        inner = getattr(message, field.name)
        inner.SetInParent()
        inner.CopyFrom(draw(messages(message_type(field), depth)))


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = field.cpp_type
    if kind in _INTEGERS:
        return _INTEGERS[kind]
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return st.sampled_from([value.number for value in field.enum_type.values])
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=6) if field.type == FieldDescriptor.TYPE_BYTES else TEXT
    return st.floats(width=32 if kind == FieldDescriptor.CPPTYPE_FLOAT else 64)


def _well_known(draw: st.DrawFn, kind: Descriptor) -> Any:
    """The types whose content has rules of its own; None for others."""
    made: Any = message_factory.GetMessageClass(kind)()
    name = kind.full_name
    if name == "google.protobuf.Timestamp":
        made.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))  # years 1 … 9999
        made.nanos = draw(st.integers(0, 999_999_999))
    elif name == "google.protobuf.Duration":
        made.seconds = draw(st.integers(-315_576_000_000, 315_576_000_000))
        made.nanos = draw(st.integers(0, 999_999_999)) * (-1 if made.seconds < 0 else 1)
    elif name == "google.protobuf.FieldMask":
        made.paths.extend(draw(st.lists(WORD, max_size=ITEMS_MAX)))
    elif name == "google.protobuf.Struct":
        made.update(draw(st.dictionaries(TEXT, st.none() | st.booleans() | st.floats(-1e9, 1e9) | TEXT, max_size=ITEMS_MAX)))
    elif name == "google.protobuf.Any":
        box = any_pb2.Any()
        box.Pack(draw(st.sampled_from(_DETAILS)))
        return box
    else:
        return None
    return made
