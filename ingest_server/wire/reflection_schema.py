"""The reflection protocol as descriptors: `grpc.reflection.v1` and `v1alpha`, which differ in nothing but the name.

Made here instead of generated: a generated module would register v1alpha in the default pool, where grpcio-reflection, if a
deployment has it, registers its own copy. Source of names and numbers: grpc/reflection/v1/reflection.proto in grpc/grpc-proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor

_Field = descriptor_pb2.FieldDescriptorProto
_TEXT, _BYTES, _INT32, _MESSAGE = _Field.TYPE_STRING, _Field.TYPE_BYTES, _Field.TYPE_INT32, _Field.TYPE_MESSAGE

# message → (field, number, type, type name, repeated, member of the oneof)
_MESSAGES: dict[str, tuple[str, tuple[tuple[str, int, Any, str, bool, bool], ...]]] = {
    "ServerReflectionRequest": (
        "message_request",
        (
            ("host", 1, _TEXT, "", False, False),
            ("file_by_filename", 3, _TEXT, "", False, True),
            ("file_containing_symbol", 4, _TEXT, "", False, True),
            ("file_containing_extension", 5, _MESSAGE, "ExtensionRequest", False, True),
            ("all_extension_numbers_of_type", 6, _TEXT, "", False, True),
            ("list_services", 7, _TEXT, "", False, True),
        ),
    ),
    "ExtensionRequest": (
        "",
        (("containing_type", 1, _TEXT, "", False, False), ("extension_number", 2, _INT32, "", False, False)),
    ),
    "ServerReflectionResponse": (
        "message_response",
        (
            ("valid_host", 1, _TEXT, "", False, False),
            ("original_request", 2, _MESSAGE, "ServerReflectionRequest", False, False),
            ("file_descriptor_response", 4, _MESSAGE, "FileDescriptorResponse", False, True),
            ("all_extension_numbers_response", 5, _MESSAGE, "ExtensionNumberResponse", False, True),
            ("list_services_response", 6, _MESSAGE, "ListServiceResponse", False, True),
            ("error_response", 7, _MESSAGE, "ErrorResponse", False, True),
        ),
    ),
    "FileDescriptorResponse": ("", (("file_descriptor_proto", 1, _BYTES, "", True, False),)),
    "ExtensionNumberResponse": (
        "",
        (("base_type_name", 1, _TEXT, "", False, False), ("extension_number", 2, _INT32, "", True, False)),
    ),
    "ListServiceResponse": ("", (("service", 1, _MESSAGE, "ServiceResponse", True, False),)),
    "ServiceResponse": ("", (("name", 1, _TEXT, "", False, False),)),
    "ErrorResponse": (
        "",
        (("error_code", 1, _INT32, "", False, False), ("error_message", 2, _TEXT, "", False, False)),
    ),
}


@dataclass(frozen=True, slots=True)
class ReflectionSchema:
    """One version of the protocol: its service, the class of its responses, and the pool that knows them."""

    service: ServiceDescriptor
    response_class: Any
    pool: descriptor_pool.DescriptorPool


def reflection_schema(version: str) -> ReflectionSchema:
    """Make the schema of a version: "v1" or "v1alpha"."""
    package = f"grpc.reflection.{version}"
    schema = descriptor_pb2.FileDescriptorProto(
        name=f"grpc/reflection/{version}/reflection.proto", package=package, syntax="proto3"
    )
    for name, (oneof, fields) in _MESSAGES.items():
        message = schema.message_type.add(name=name)
        if oneof:
            message.oneof_decl.add(name=oneof)
        for field_name, number, kind, type_name, repeated, in_oneof in fields:
            field = message.field.add(name=field_name, number=number, type=kind)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if type_name:
                field.type_name = f".{package}.{type_name}"
            if in_oneof:
                field.oneof_index = 0
    schema.service.add(name="ServerReflection").method.add(
        name="ServerReflectionInfo",
        input_type=f".{package}.ServerReflectionRequest",
        output_type=f".{package}.ServerReflectionResponse",
        client_streaming=True,
        server_streaming=True,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(schema)
    response_class = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.ServerReflectionResponse"))
    return ReflectionSchema(pool.FindServiceByName(f"{package}.ServerReflection"), response_class, pool)
