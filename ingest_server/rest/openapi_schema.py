"""JSON Schema (2020-12) of protobuf messages in their JSON form, made from descriptors.

The JSON form is that of https://protobuf.dev/programming-guides/json/: lowerCamel names, 64-bit integers and bytes as strings,
enums by name, well-known types in forms of their own; what is unset is written too: as the empty value of its type, a message as
null. A schema describes what is sent and what should be sent; a parser takes more (field names as in the proto, numbers for
strings, null for anything), which is not worth a reader's time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from ingest_server.rest.comments import Comments
from ingest_server.rest.fields import is_list, is_map, is_repeated, message_type

Schema = dict[str, Any]
REF_ROOT = "#/components/schemas/"

_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time", "examples": ["2026-01-31T09:30:00Z"]},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$",
        "examples": ["1.5s"],
        "x-format": "duration in seconds",
    },
    "google.protobuf.FieldMask": {
        "type": "string",
        "pattern": r"^([a-zA-Z0-9.]+(,[a-zA-Z0-9.]+)*)?$",
        "examples": ["weight,runningMax"],
        "x-format": "field names, separated by commas",
    },
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string", "description": "URL that ends in the full name of the message's type."}},
        "additionalProperties": True,
    },
}
WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)

_FLOATING: Schema = {"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"}
_INT32: Schema = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
_UINT32: Schema = {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 2**32 - 1}
_INT64: Schema = {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}
_UINT64: Schema = {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"}
_BYTES: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^[A-Za-z0-9+/_-]*={0,2}$",
    "x-format": "bytes as base64",
}
_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: {**_FLOATING, "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {**_FLOATING, "format": "float"},
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: _BYTES,
}


def is_well_known(message: Descriptor) -> bool:
    """Whether the JSON form of a message is not an object of its fields: such a message can be a query parameter."""
    return message.full_name in _WELL_KNOWN or message.full_name in WRAPPERS


def has_behavior(field: FieldDescriptor, behavior: str) -> bool:
    """Whether a field is annotated with a google.api.field_behavior, such as "REQUIRED"."""
    marks = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.FieldBehavior.Value(behavior) in marks


class SchemaSet:
    """The schemas of one document: a message or enum is described once, when it is first referred to.

    Args:
        comments: descriptions.
        limits: further keywords by the full name of a field.
        packages: protobuf packages whose messages are named without their package, where that is no other's name.
    """

    def __init__(self, comments: Comments, limits: Mapping[str, Mapping[str, Any]], packages: Collection[str] = ()) -> None:
        self._comments = comments
        self._limits = limits
        self._packages = sorted(packages, key=len, reverse=True)
        self._made: dict[str, Schema] = {}
        self._names: dict[str, str] = {}

    def definitions(self) -> dict[str, Schema]:
        """All schemas referred to so far, by name, in order of the names."""
        return dict(sorted(self._made.items()))

    def reference(self, declared: Descriptor | EnumDescriptor) -> Schema:
        """A schema that points at that of a message or enum; it is among `definitions` from now on."""
        return self._refer(declared.full_name, lambda: self._describe(declared))

    def message(self, message: Descriptor, *, without: Collection[str] = ()) -> Schema:
        """The schema of a message.

        Args:
            message: any but well-known types.
            without: paths of fields that are left out, such as "name" or "queue.name": they come in the path of a URL. Where
                there are any, the schema is written out instead of referred to.
        """
        if not without:
            return self.reference(message)
        return self._object(message, frozenset(without))

    def field(self, field: FieldDescriptor, *, without: frozenset[str] = frozenset()) -> Schema:
        """The schema of a field: its type, its comment, its limits."""
        schema = self._typed(field, without)
        schema.update(self._limits.get(field.full_name, {}))
        text = self._comments.markdown(field.full_name)
        if text:
            schema["description"] = text
        if has_behavior(field, "OUTPUT_ONLY"):
            schema["readOnly"] = True
        if has_behavior(field, "INPUT_ONLY"):
            schema["x-input-only"] = True  # not writeOnly: answers have it too, always empty
        return schema

    def _refer(self, full_name: str, make: Callable[[], Schema]) -> Schema:
        name = self._name(full_name)
        if name not in self._made:
            self._made[name] = {}  # known from here on: a message may contain itself
            self._made[name] = make()
        return {"$ref": REF_ROOT + name}

    def _name(self, full_name: str) -> str:
        if full_name not in self._names:
            package = next((each for each in self._packages if full_name.startswith(each + ".")), "")
            short = full_name.removeprefix(package + ".") if package else full_name
            self._names[full_name] = full_name if short in self._names.values() else short
        return self._names[full_name]

    def _describe(self, declared: Descriptor | EnumDescriptor) -> Schema:
        if isinstance(declared, EnumDescriptor):
            return self._enum(declared)
        return self._object(declared, frozenset())

    def _enum(self, enum: EnumDescriptor) -> Schema:
        told = {value.name: self._comments.markdown(f"{enum.full_name}.{value.name}") for value in enum.values}
        schema: Schema = {"type": "string", "enum": list(told)}
        lines = [f"- `{name}`: {text}" for name, text in told.items() if text]
        description = "\n\n".join(part for part in (self._comments.markdown(enum.full_name), "\n".join(lines)) if part)
        if description:
            schema["description"] = description
        if lines:
            schema["x-enum-descriptions"] = list(told.values())
        return schema

    def _object(self, message: Descriptor, without: frozenset[str]) -> Schema:
        fields = [field for field in message.fields if field.name not in without]
        schema: Schema = {"type": "object"}
        text = self._comments.markdown(message.full_name)
        if text:
            schema["description"] = text
        required = [field.json_name for field in fields if has_behavior(field, "REQUIRED")]
        if required:
            schema["required"] = required
        if fields:
            schema["properties"] = {field.json_name: self._property(field, _below(field.name, without)) for field in fields}
        choices = [_at_most_one(oneof) for oneof in _oneofs(fields)]
        if len(choices) == 1:
            schema.update(choices[0])
        elif choices:
            schema["allOf"] = choices
        return schema

    def _property(self, field: FieldDescriptor, without: frozenset[str]) -> Schema:
        """A field in its message: one that is unset may be null."""
        schema = self.field(field, without=without)
        single_message = field.message_type is not None and not is_repeated(field)
        if not single_message or field.containing_oneof is not None or has_behavior(field, "REQUIRED"):
            return schema
        if "type" in schema and "properties" not in schema:
            return {**schema, "type": [*_listed(schema["type"]), "null"]}
        beside: Schema = {key: schema.pop(key) for key in ("description", "readOnly", "x-input-only") if key in schema}
        return {"anyOf": [schema, {"type": "null"}], **beside} if schema else beside

    def _typed(self, field: FieldDescriptor, without: frozenset[str]) -> Schema:
        if is_map(field):
            return {"type": "object", "additionalProperties": self._single(message_type(field).fields_by_name["value"], without)}
        one = self._single(field, without)
        return {"type": "array", "items": one} if is_list(field) else one

    def _single(self, field: FieldDescriptor, without: frozenset[str]) -> Schema:
        if field.enum_type is not None:
            if field.enum_type.full_name == "google.protobuf.NullValue":
                return {"type": "null"}
            return self.reference(field.enum_type)
        message = field.message_type
        if message is None:
            return dict(_SCALARS[field.type])
        if message.full_name in WRAPPERS:
            return dict(_SCALARS[message.fields_by_name["value"].type])
        if message.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[message.full_name])
        return self.message(message, without=without)


def _below(name: str, paths: Iterable[str]) -> frozenset[str]:
    """Those of `paths` that lead through the field `name`, from there on."""
    return frozenset(path.removeprefix(name + ".") for path in paths if path.startswith(name + "."))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _oneofs(fields: Iterable[FieldDescriptor]) -> list[list[str]]:
    """JSON names of the members of each oneof that has more than one among `fields`; `optional` fields are no such thing."""
    members: dict[str, list[str]] = {}
    for field in fields:
        if field.containing_oneof is not None:
            members.setdefault(field.containing_oneof.name, []).append(field.json_name)
    return [names for names in members.values() if len(names) > 1]


def _at_most_one(names: list[str]) -> Schema:
    """None or one of these properties. Exactly one branch holds: that of the member that is set, or the last one."""
    alone = [{"required": [name]} for name in names]
    return {"oneOf": [*alone, {"not": {"anyOf": alone}}]}
