"""Errors of the server as the shim tells them: status, details, headers; and what it makes of those it cannot read."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from ingest_server.rest.errors import HTTP_STATUS, RestError, from_rpc, invalid, packed


def rpc_error(code: grpc.StatusCode, message: str, details: bytes | str | None) -> grpc.aio.AioRpcError:
    trailers = grpc.aio.Metadata(("other", "x"))
    if details is not None:
        trailers.add("grpc-status-details-bin", details)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details=message)


@pytest.mark.parametrize(
    "details", [None, b"\xff\xff", "text", status_pb2.Status(code=13, message="another").SerializeToString()]
)
def test_details_that_cannot_be_read_or_tell_of_another_error_leave_code_and_message(details: bytes | str | None) -> None:
    error = from_rpc(rpc_error(grpc.StatusCode.NOT_FOUND, "no such job", details))
    assert (error.http_status, error.status) == (404, status_pb2.Status(code=5, message="no such job"))


def test_details_of_the_server_are_told_as_they_came() -> None:
    info = error_details_pb2.ErrorInfo(reason="OVERLOADED", domain="ingest")
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=1))
    status = status_pb2.Status(code=8, message="full", details=packed([info, retry]))
    error = from_rpc(rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", status.SerializeToString()))
    assert (error.http_status, error.status, error.headers) == (429, status, ((b"retry-after", b"1"),))


def test_every_code_has_a_status_and_an_unknown_one_is_a_fault_of_the_server() -> None:
    assert set(HTTP_STATUS) == {code.value[0] for code in grpc.StatusCode}
    assert RestError(status_pb2.Status(code=99)).http_status == 500


def test_an_error_of_the_shims_own_names_field_and_reason() -> None:
    error = invalid("page_size: 'x' is not a number", field="page_size")
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert error.status.details[0].Unpack(info)
    assert error.status.details[1].Unpack(request)
    assert (info.reason, info.domain) == ("INVALID_FIELD", "ingest")
    assert [item.field for item in request.field_violations] == ["page_size"]
