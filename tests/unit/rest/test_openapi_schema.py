"""The schemas say what the transcoder writes: JSON of random messages is valid, and each keyword can refuse something."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.v1 import document_pb2, job_pb2, job_service_pb2, queue_service_pb2
from ingest_server.rest.app import SERVICES
from ingest_server.rest.comments import Comments
from ingest_server.rest.field_limits import FIELD_LIMITS
from ingest_server.rest.openapi_errors import DETAILS_OF_STATUS, describe_status, refer_details
from ingest_server.rest.openapi_examples import EXAMPLES
from ingest_server.rest.openapi_schema import SchemaSet
from ingest_server.rest.routes import RouteTable
from ingest_server.rest.transcode import read_message, write_message
from tests.unit.rest.random_messages import messages

NO_COMMENTS = Comments(())
MESSAGES: dict[str, Any] = {
    kind.full_name: kind for route in RouteTable(SERVICES).routes for kind in (route.method.input_type, route.method.output_type)
} | {document_pb2.Document.DESCRIPTOR.full_name: document_pb2.Document.DESCRIPTOR}


def closed(schema: Any) -> Any:
    """A schema that refuses properties it does not name, so that a wrong name cannot pass. Compositions stay as they are."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if made.get("type") == "object" and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def validator(kind: Descriptor, *, limits: bool = False, strict: bool = True) -> jsonschema_rs.Draft202012Validator:
    """Validates JSON of one type; with `limits`, the fixed limits of fields too."""
    schemas = SchemaSet(NO_COMMENTS, {**(FIELD_LIMITS if limits else {}), **DETAILS_OF_STATUS}, ("ingest.v1",))
    refer_details(schemas)
    root = schemas.message(kind)
    definitions = schemas.definitions()
    details = {name: definitions[name] for name in definitions if name.startswith("google.rpc.")}
    describe_status(schemas, details)
    definitions = {name: closed(each) if strict and name not in details else each for name, each in definitions.items()}
    return jsonschema_rs.Draft202012Validator({**root, "components": {"schemas": definitions}}, validate_formats=True)


VALIDATORS = {name: validator(kind) for name, kind in MESSAGES.items()}


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_json_of_any_message_is_valid(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MESSAGES)))
    message = data.draw(messages(MESSAGES[name]))
    written = json.loads(write_message(message))
    faults = [f"{'/'.join(map(str, fault.instance_path))}: {fault.message}" for fault in VALIDATORS[name].iter_errors(written)]
    assert not faults, f"{name} {written}"


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_what_is_written_can_be_read_again(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MESSAGES)))
    message = data.draw(messages(MESSAGES[name]))
    again = read_message(write_message(message), type(message))
    assert json_format.MessageToDict(again) == json_format.MessageToDict(message)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_are_valid_and_can_be_read(name: str) -> None:
    kind = MESSAGES[name]
    for value in EXAMPLES[name].values():
        partial = kind is queue_service_pb2.UpdateQueueRequest.DESCRIPTOR
        assert partial or not [str(fault) for fault in validator(kind, limits=True).iter_errors(value)]
        message = read_message(json.dumps(value).encode(), _class_of(name))
        assert message.ByteSize() or not value


def _class_of(name: str) -> Any:
    return next(route.input_class for route in RouteTable(SERVICES).routes if route.method.input_type.full_name == name)


SPEC: dict[str, Any] = {"tasks": [{"extract": {}}]}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (job_pb2.JobSpec, {**SPEC, "jobID": "x"}),
        (job_pb2.JobSpec, {}),
        (job_pb2.JobSpec, {"tasks": []}),
        (job_pb2.JobSpec, {**SPEC, "priority": 10}),
        (job_pb2.JobSpec, {**SPEC, "priority": "5"}),
        (job_pb2.JobSpec, {**SPEC, "jobId": "no uuid"}),
        (job_pb2.JobSpec, {**SPEC, "attemptTimeout": "PT1S"}),
        (job_pb2.JobSpec, {**SPEC, "startTime": "yesterday"}),
        (job_pb2.JobSpec, {**SPEC, "startTime": "2026-01-31T09:30:00Z", "startDelay": "1s"}),
        (job_pb2.JobSpec, {**SPEC, "conflictPolicy": "SOMETIMES"}),
        (job_pb2.JobSpec, {**SPEC, "labels": {"UPPER": "x"}}),
        (job_pb2.JobSpec, {**SPEC, "labels": {"key": 1}}),
        (job_pb2.Payload, {"data": "%%%"}),
        (job_pb2.Payload, {"data": "", "uri": "x"}),
        (job_pb2.BlobRef, {"sha256": "00"}),
        (job_pb2.BlobRef, {"sha256": "0" * 64, "sizeBytes": 1}),
        (job_pb2.Progress, {"completedUnits": "1.5"}),
        (job_pb2.RetryPolicy, {"backoffMultiplier": "lots"}),
        (job_pb2.Job, {"error": {"details": [{}]}}),
        (job_pb2.Job, {"error": {"details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": 1}]}}),
        (job_service_pb2.WatchJobsResponse, {"close": {"status": 1}}),
        (job_service_pb2.RunJobRequest, {"job": None}),
    ],
)
def test_what_is_wrong_is_refused(kind: Any, value: Any) -> None:
    assert not validator(kind.DESCRIPTOR, limits=True).is_valid(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (job_pb2.JobSpec, {**SPEC, "jobId": "", "labels": {"a/b": ""}, "retryPolicy": None, "input": None}),
        (job_pb2.JobSpec, {**SPEC, "startDelay": "0.5s"}),
        (job_pb2.RetryPolicy, {"backoffMultiplier": "NaN"}),
        (job_pb2.CustomTask, {"handler": "echo", "options": {"a": [1, None, {"b": True}]}}),
        (job_pb2.Job, {"error": {"details": [{"@type": "type.googleapis.com/other.Kind", "reason": 1}]}}),
        (job_pb2.Job, {"startTime": None, "revision": "-1"}),
    ],
)
def test_what_is_right_is_taken(kind: Any, value: Any) -> None:
    assert not [str(fault) for fault in validator(kind.DESCRIPTOR, limits=True).iter_errors(value)]


def test_a_message_that_contains_itself_is_described_once() -> None:
    from google.protobuf import descriptor_pb2

    schemas = SchemaSet(NO_COMMENTS, {})
    assert schemas.reference(descriptor_pb2.DescriptorProto.DESCRIPTOR) == {
        "$ref": "#/components/schemas/google.protobuf.DescriptorProto"
    }
    nested = schemas.definitions()["google.protobuf.DescriptorProto"]["properties"]["nestedType"]
    assert nested["items"] == {"$ref": "#/components/schemas/google.protobuf.DescriptorProto"}


def test_fields_of_the_path_are_left_out_at_any_depth() -> None:
    schemas = SchemaSet(NO_COMMENTS, FIELD_LIMITS, ("ingest.v1",))
    request: Any = queue_service_pb2.UpdateQueueRequest.DESCRIPTOR
    written = schemas.message(request, without=["queue.name", "allow_missing"])
    assert "allowMissing" not in written["properties"]
    assert "name" not in written["properties"]["queue"]["properties"]
    assert "weight" in written["properties"]["queue"]["properties"]
    assert schemas.definitions().keys() == set(), "nothing that is left out may be described elsewhere"


def test_behaviours_are_told() -> None:
    schemas = SchemaSet(NO_COMMENTS, {}, ("ingest.v1",))
    for kind in (queue_service_pb2.Queue, job_pb2.ExtractTask):
        described: Any = kind.DESCRIPTOR
        schemas.reference(described)
    definitions = schemas.definitions()
    assert definitions["Queue"]["properties"]["paused"]["readOnly"]
    assert definitions["ExtractTask"]["properties"]["password"]["x-input-only"]
    assert "readOnly" not in definitions["Queue"]["properties"]["weight"]
