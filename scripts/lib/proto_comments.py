"""Reads the comments of the protos and writes them beside the generated code, which carries none.

`ingest/v1/job.proto` gets `ingest/v1/job_comments.json`: an object from the full name of a service, method, message, field,
oneof, enum or enum value to its leading comment, as it stands, without the comment marks. The documentation of the REST interface
is made of them; nothing else reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

SUFFIX = "_comments.json"

Named = tuple[tuple[int, ...], str]
"""Where a declaration stands (descriptor.proto, SourceCodeInfo.Location.path) and its full name."""


def write_comments(descriptor_set: bytes, target: Path) -> None:
    """Write one file per proto of a serialized FileDescriptorSet that was made with source information.

    Args:
        descriptor_set: what `protoc --descriptor_set_out --include_source_info` writes.
        target: root of the generated code; the folders of the protos must be there.
    """
    for file in FileDescriptorSet.FromString(descriptor_set).file:
        found = comments_of(file)
        path = target / (file.name.removesuffix(".proto") + SUFFIX)
        path.write_text(json.dumps(found, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def comments_of(file: FileDescriptorProto) -> dict[str, str]:
    """Leading comments of a file by the full name of what they stand before. What has none is left out."""
    texts = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    return {name: trimmed(texts[path]) for path, name in _declarations(file) if texts.get(path, "").strip()}


def trimmed(comment: str) -> str:
    """A comment without the blank that follows each `//`, and without empty lines at its ends."""
    return "\n".join(line.removeprefix(" ").rstrip() for line in comment.splitlines()).strip("\n")


def _declarations(file: FileDescriptorProto) -> Iterator[Named]:
    """Everything of a file that can have a comment. The numbers are field numbers of descriptor.proto."""
    for index, message in enumerate(file.message_type):
        yield from _of_message(message, (4, index), f"{file.package}.{message.name}")
    for index, enum in enumerate(file.enum_type):
        yield from _of_enum(enum, (5, index), f"{file.package}.{enum.name}")
    for index, service in enumerate(file.service):
        yield from _of_service(service, (6, index), f"{file.package}.{service.name}")


def _of_message(message: DescriptorProto, path: tuple[int, ...], name: str) -> Iterator[Named]:
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        yield (*path, 8, index), f"{name}.{oneof.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _of_message(nested, (*path, 3, index), f"{name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _of_enum(enum, (*path, 4, index), f"{name}.{enum.name}")


def _of_enum(enum: EnumDescriptorProto, path: tuple[int, ...], name: str) -> Iterator[Named]:
    yield path, name
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), f"{name}.{value.name}"


def _of_service(service: ServiceDescriptorProto, path: tuple[int, ...], name: str) -> Iterator[Named]:
    yield path, name
    for index, method in enumerate(service.method):
        yield (*path, 2, index), f"{name}.{method.name}"
