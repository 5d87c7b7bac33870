"""A second reading of SubmitJobsRequest that knows only what differs from job to job.

All other fields of a JobSpec stay what the parser calls unknown: it keeps their bytes together and gives them back when the
message is serialized. So a job's own parts are taken out and the rest becomes a key into the cache of checked templates, without
parsing tasks, options, labels and policies of every job: 1.1 us a job with labels and options, where the full reading takes 2.2.
Field numbers and types are those of job.proto and job_service.proto, which a test proves.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "ingest.wire"


def _add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: _Field.Type.ValueType,
    *,
    message_type: str = "",
    repeated: bool = False,
    oneof: bool = False,
) -> None:
    field = message.field.add(name=name, number=number, type=kind)
    field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    if message_type:
        field.type_name = f".{_PACKAGE}.{message_type}"
    if oneof:
        field.oneof_index = 0


def _schema() -> descriptor_pb2.FileDescriptorProto:
    schema = descriptor_pb2.FileDescriptorProto(name="ingest/wire/split.proto", package=_PACKAGE, syntax="proto3")
    payload = schema.message_type.add(name="SplitPayload")
    payload.oneof_decl.add(name="content")
    _add(payload, "name", 2, _Field.TYPE_STRING)
    _add(payload, "data", 3, _Field.TYPE_BYTES, oneof=True)
    # A BlobRef, left serialized: few jobs have one.
    _add(payload, "blob", 4, _Field.TYPE_BYTES, oneof=True)
    _add(payload, "uri", 5, _Field.TYPE_STRING, oneof=True)
    spec = schema.message_type.add(name="SplitSpec")
    _add(spec, "job_id", 1, _Field.TYPE_STRING)
    _add(spec, "input", 4, _Field.TYPE_MESSAGE, message_type="SplitPayload")
    _add(spec, "dedupe_key", 15, _Field.TYPE_STRING)
    request = schema.message_type.add(name="SplitRequest")
    _add(request, "request_id", 1, _Field.TYPE_STRING)
    _add(request, "batch_id", 2, _Field.TYPE_STRING)
    _add(request, "jobs", 3, _Field.TYPE_MESSAGE, message_type="SplitSpec", repeated=True)
    _add(request, "all_or_nothing", 4, _Field.TYPE_BOOL)
    return schema


# A pool of its own: the default pool is for schemas that travel.
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_schema())

SplitRequest: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.SplitRequest"))
"""SubmitJobsRequest, its jobs as `SplitSpec`."""

SplitSpec: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.SplitSpec"))
"""JobSpec with `job_id`, `input.name`, `input.data`, `input.blob` (serialized), `input.uri`, `dedupe_key`; the rest unread."""
