"""The OpenAPI document: valid, complete, with the comments of the contract, and right about each route."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from openapi_spec_validator import OpenAPIV31SpecValidator

from ingest_server.rest.app import SERVICES, describe_contract
from ingest_server.rest.comments import Comments
from ingest_server.rest.openapi import openapi_document, words
from ingest_server.rest.openapi_errors import error_responses
from ingest_server.rest.openapi_parameters import openapi_path
from ingest_server.rest.path_template import parse
from ingest_server.rest.routes import RouteTable


@cache
def document() -> dict[str, Any]:
    """As it is served, through JSON and back."""
    made: dict[str, Any] = json.loads(json.dumps({**describe_contract(), "servers": [{"url": "/"}]}))
    return made


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb, operation) for path, item in document()["paths"].items() for verb, operation in item.items()]


def operation(verb: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path][verb]
    return found


def parameter(verb: str, path: str, name: str) -> dict[str, Any]:
    return next(each for each in operation(verb, path)["parameters"] if each["name"] == name)


def test_the_document_is_valid() -> None:
    assert [str(fault) for fault in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_the_validator_finds_faults() -> None:
    broken = {**document(), "paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_binding_of_every_rpc_appears() -> None:
    table = RouteTable(SERVICES)
    listed = [each["x-rpc"] for _, _, each in operations() if "x-rpc" in each]
    wanted = [f"{route.method.containing_service.full_name}.{route.method.name}" for route in table.routes]
    assert sorted(listed) == sorted(wanted)
    assert {name for service in SERVICES for name in (f"{service.full_name}.{each.name}" for each in service.methods)} == set(
        listed
    )


def test_operation_ids_are_unique() -> None:
    ids = [each["operationId"] for _, _, each in operations()]
    assert len(set(ids)) == len(ids)
    assert {"JobService_FetchResults", "JobService_FetchResults2", "JobService_FetchResults3"} <= set(ids)


def test_the_comments_of_the_contract_are_the_descriptions() -> None:
    assert "its job is on disk (fsync) before the answer is sent" in operation("post", "/v1/jobs:submit")["description"]
    assert parameter("get", "/v1/jobs/{job_id}", "view")["description"] == "How much of it."
    state = document()["components"]["schemas"]["JobState"]
    assert "RUNNING   -> SUCCEEDED | FAILED" in state["description"]
    assert state["x-enum-descriptions"][state["enum"].index("JOB_STATE_QUEUED")] == "Waits for a worker."
    assert next(tag for tag in document()["tags"] if tag["name"] == "BlobService")["description"].startswith("Content-addressed")


def test_every_operation_and_every_field_is_described() -> None:
    assert [path for path, _, each in operations() if not each.get("description")] == []
    bare = [
        f"{name}.{key}"
        for name, schema in document()["components"]["schemas"].items()
        if not name.startswith("google.")
        for key, field in schema.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def test_variables_and_query_of_a_route() -> None:
    assert parameter("get", "/v1/jobs/{job_id}", "job_id") == {
        "name": "job_id",
        "in": "path",
        "required": True,
        "description": "Its id.",
        "schema": {"type": "string", "format": "uuid", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    }
    labels = parameter("get", "/v1/jobs", "filter.labels")
    assert (labels["style"], labels["explode"], labels["schema"]["type"]) == ("deepObject", True, "object")
    assert parameter("get", "/v1/jobs", "filter.states")["schema"]["items"] == {"$ref": "#/components/schemas/JobState"}
    assert parameter("get", "/v1/jobs", "filter.create_time_from")["schema"]["format"] == "date-time"
    assert "parameters" not in operation("post", "/v1/jobs:submit"), "the body is the whole request"


def test_a_body_that_is_a_field_leaves_the_path_out_and_the_rest_to_the_query() -> None:
    patch = operation("patch", "/v1/queues/{name}")
    schema = patch["requestBody"]["content"]["application/json"]["schema"]
    assert "name" not in schema["properties"]
    assert "weight" in schema["properties"]
    assert {each["name"] for each in patch["parameters"]} == {"name", "update_mask", "allow_missing"}
    pause = operation("post", "/v1/queues/{name}:pause")["requestBody"]["content"]["application/json"]["schema"]
    assert "properties" not in pause


def test_a_body_that_is_a_list_may_be_one_item() -> None:
    content = operation("post", "/submit_job")["requestBody"]["content"]["application/json"]
    one, many, whole = content["schema"]["anyOf"]
    assert whole == {"$ref": "#/components/schemas/SubmitJobsRequest"}
    assert one == {"$ref": "#/components/schemas/JobSpec"}
    assert (many["type"], many["items"], many["minItems"]) == ("array", one, 1)
    assert "tasks" in content["examples"]["one-document"]["value"]
    assert len(content["examples"]["two-documents"]["value"]) == 2


def test_streams_are_lines_or_events() -> None:
    watch = operation("get", "/v1/jobs:watch")
    assert set(watch["responses"]["200"]["content"]) == {"application/x-ndjson", "application/json", "text/event-stream"}
    assert parameter("get", "/v1/jobs:watch", "Last-Event-ID")["in"] == "header"


def test_uploads_are_bytes_or_a_form_or_messages() -> None:
    upload = operation("put", "/v1/blobs")
    content = upload["requestBody"]["content"]
    assert list(content) == ["application/octet-stream", "multipart/form-data", "application/json"]
    assert content["multipart/form-data"]["schema"]["required"] == ["file"]
    assert [each["name"] for each in upload["parameters"]] == ["sha256", "offset_bytes", "Content-Digest"]
    assert "the body is the bytes themselves" in upload["description"]
    assert "BLOB_DIGEST_MISMATCH" in upload["responses"]["400"]["description"]
    assert upload["responses"]["500"] == {"$ref": "#/components/responses/Error500"}


def test_downloads_have_ranges_and_tags() -> None:
    download = operation("get", "/v1/blobs/{sha256}")
    assert list(download["responses"]["200"]["content"]) == [
        "application/octet-stream",
        "application/x-ndjson",
        "application/json",
    ]
    assert {"206", "304", "412", "416"} <= download["responses"].keys()
    assert {"Range", "If-None-Match"} <= {each["name"] for each in download["parameters"]}
    assert "x-stream" not in download


def test_errors_are_told_per_status_with_their_reasons() -> None:
    responses = operation("post", "/v1/jobs:submit")["responses"]
    assert "`REQUEST_ID_REUSED`" in responses["409"]["description"]
    assert "`BATCH_REFUSED`" in responses["409"]["description"]
    assert responses["409"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/google.rpc.Status"}
    assert responses["401"] == {"$ref": "#/components/responses/Error401"}
    assert "default" in responses
    assert "`STORAGE_FULL`" in responses["429"]["description"]
    assert "Retry-After" in responses["429"]["headers"]


def test_errors_of_items_are_no_errors_of_the_call() -> None:
    comment = "Does. Errors: NOT_FOUND (GONE). Per item: ALREADY_EXISTS (TAKEN).\n\nErrors are rare: ABORTED."
    responses = error_responses(comment)
    assert "GONE" in responses["404"]["description"]
    assert "409" not in responses


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", "/"),
        ("/v1/{name=shelves/*/books/*}:move", "/v1/{name}:move"),
        ("/v1/*/{id}", "/v1/{segment1}/{id}"),
        ("/files/{path=**}", "/files/{path}"),
        ("/v1/{a.b}/x", "/v1/{a.b}/x"),
    ],
)
def test_templates_as_paths(template: str, path: str) -> None:
    assert openapi_path(parse(template)) == path


def test_words_of_a_name() -> None:
    assert words("FindMissingBlobs") == "Find missing blobs"


def test_a_service_nobody_foresaw_is_described() -> None:
    """Any annotated service: wildcards, a response field, nested bodies, no comments."""
    from google.api import annotations_pb2

    file = FileDescriptorProto(name="shop/v1/shop.proto", package="shop.v1", syntax="proto3")
    file.dependency.append("google/api/annotations.proto")
    book = file.message_type.add(name="Book")
    book.field.add(name="name", number=1, type=9, label=1, json_name="name")
    book.field.add(name="page_count", number=2, type=3, label=1, json_name="pageCount")
    shelf = file.message_type.add(name="Shelf")
    shelf.field.add(name="books", number=1, type=11, type_name=".shop.v1.Book", label=3, json_name="books")
    method = file.service.add(name="Shop").method.add(name="GetBook", input_type=".shop.v1.Book", output_type=".shop.v1.Shelf")
    rule = method.options.Extensions[annotations_pb2.http]
    rule.get, rule.response_body = "/v1/{name=shelves/*/books/*}", "books"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    service = pool.FindServiceByName("shop.v1.Shop")
    assert message_factory.GetMessageClass(service.methods[0].input_type)
    made = openapi_document(RouteTable([service]), title="Shop", version="1")
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []
    found = made["paths"]["/v1/{name}"]["get"]
    assert found["parameters"][0]["schema"]["pattern"] == "^shelves/[^/]+/books/[^/]+$"
    assert found["parameters"][1]["name"] == "page_count"
    answer = found["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"$ref": "#/components/schemas/Book"}}
    assert found["summary"] == "Get book"


def test_comments_of_files_without_any_are_empty() -> None:
    from google.protobuf import descriptor_pb2

    comments = Comments([descriptor_pb2.DESCRIPTOR])
    assert comments.markdown("google.protobuf.FileDescriptorProto") == ""
