"""The limits that the REST documentation tells of fields are those that the server holds: asked at their edges, on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import Default

from ingest.v1 import blob_service_pb2, job_service_pb2, queue_service_pb2
from ingest_server.rest.field_limits import FIELD_LIMITS
from tests.wire.conftest import JOB, Running, refusal

SPEC: dict[str, Any] = {"tasks": [{"extract": {}}]}
DIGEST = "0" * 64
PLACES: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "JobSpec": ("RunJob", {"job": SPEC}, "job"),
    "RetryPolicy": ("RunJob", {"job": {**SPEC, "retry_policy": {}}}, "job.retry_policy"),
    "Payload": ("RunJob", {"job": {**SPEC, "input": {}}}, "job.input"),
    "BlobRef": ("FindMissingBlobs", {"blobs": [{}]}, "blobs.0"),
    "Callback": ("RunJob", {"job": {**SPEC, "callbacks": [{}]}}, "job.callbacks.0"),
    "JobFilter": ("ListJobs", {"filter": {}}, "filter"),
    "Queue": ("UpdateQueue", {"queue": {"name": "default"}}, "queue"),
}
"""Messages that are no requests: the RPC to ask, a request that is right, and where in it the message stands."""
BESIDE: Mapping[str, dict[str, Any]] = {
    "CancelJobsRequest.reason": {"job_ids": [JOB]},
    "DownloadBlobRequest.limit_bytes": {"sha256": DIGEST},
    "DownloadBlobRequest.offset_bytes": {"sha256": DIGEST},
    "ListDeliveriesRequest.page_size": {"job_id": JOB},
    "RedeliverCallbacksRequest.delivery_ids": {"job_id": JOB},
    "RetryJobsRequest.request_id": {"job_ids": [JOB]},
    "RunJobRequest.request_id": {"job": SPEC},
    "SubmitJobsRequest.batch_id": {"jobs": [SPEC]},
    "SubmitJobsRequest.request_id": {"jobs": [SPEC]},
    "JobSpec.dedupe_key": {"dedupe_window": "5s"},
}
"""What a field needs beside it to be right."""
ITEMS: Mapping[str, Any] = {
    "CountJobsRequest.group_by": "GROUP_BY_STATE",
    "JobSpec.callbacks": {"url": "https://example.com"},
    "JobSpec.tasks": {"extract": {}},
    "RetryPolicy.non_retryable_reasons": "ValueError",
    "RedeliverCallbacksRequest.delivery_ids": f"msg_{JOB.replace('-', '')}_1",
    "SubmitJobsRequest.jobs": SPEC,
}


def short(name: str) -> str:
    return name.removeprefix("ingest.v1.")


def edges(name: str, limit: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Values just within and just beyond a limit, and whether they are within."""
    if "minimum" in limit:
        yield from (
            (limit["minimum"], True),
            (limit["maximum"], True),
            (limit["minimum"] - 1, False),
            (limit["maximum"] + 1, False),
        )
    if "pattern" in limit:
        yield ("-1" if limit["pattern"].startswith("^[0-9]{1,") else "!"), False
        yield from ((value, True) for value in _fitting(limit))
    if "maxLength" in limit and "format" not in limit:
        yield from (("x" * limit["maxLength"], True), ("x" * (limit["maxLength"] + 1), False))
    if limit.get("format") == "uri":
        start = "https://example.com/"
        yield from ((start + "x" * (limit["maxLength"] - len(start)), True), (start + "x" * limit["maxLength"], False))
    if "maxItems" in limit:
        yield from (([ITEMS[short(name)]] * limit["maxItems"], True), ([ITEMS[short(name)]] * (limit["maxItems"] + 1), False))
    if "minItems" in limit:
        yield from (([ITEMS[short(name)]], True), ([], False))
    if "maxProperties" in limit:
        for count, fits in ((limit["maxProperties"], True), (limit["maxProperties"] + 1, False)):
            yield {f"k{index}": "v" for index in range(count)}, fits
    if "propertyNames" in limit:
        yield from (({"UPPER": "x"}, False), ({"a/b": "x" * 255}, True), ({"a": "x" * 256}, False))


def _fitting(limit: Mapping[str, Any]) -> list[str]:
    for value in (JOB, DIGEST, "default", "1"):
        if re.search(limit["pattern"], value):
            return [value]
    raise AssertionError(f"no value fits {limit['pattern']}")


CASES = [
    pytest.param(name, value, fits, id=f"{short(name)} {'within' if fits else 'beyond'} {str(value)[:30]} {len(str(value))}")
    for name, limit in FIELD_LIMITS.items()
    for value, fits in edges(name, limit)
]


def request_of(name: str, value: Any) -> tuple[str, Any, str]:
    """The RPC, the request with the field set, and the field's path as errors name it."""
    message, _, field = short(name).partition(".")
    rpc, base, place = PLACES.get(message) or (message.removesuffix("Request"), {}, "")
    module = next(each for each in (job_service_pb2, blob_service_pb2, queue_service_pb2) if hasattr(each, f"{rpc}Request"))
    filled = {field: value, **BESIDE.get(short(name), {})}
    tree = _put(base, [part for part in place.split(".") if part], filled)
    path = ".".join(part for part in (place, field) if part).replace(".0", "[0]")
    return rpc, json_format.ParseDict(tree, getattr(module, f"{rpc}Request")()), path


def _put(tree: Any, way: list[str], filled: dict[str, Any]) -> Any:
    """A copy of `tree` with `filled` joined to the message at the end of `way`."""
    if not way:
        return {**tree, **filled}
    if isinstance(tree, list):
        return [_put(tree[int(way[0])], way[1:], filled)]
    return {**tree, way[0]: _put(tree[way[0]], way[1:], filled)}


@pytest.mark.parametrize(("name", "value", "fits"), CASES)
async def test_a_limit_is_where_it_is_said_to_be(running: Running, name: str, value: Any, fits: bool) -> None:
    rpc, request, path = request_of(name, value)
    call = getattr(running, rpc)(request)
    if fits:
        assert await _faults(call, path) == []
        return
    refused = await refusal(call)
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field in refused.fields if field.startswith(path)], refused


async def _faults(call: Any, path: str) -> list[str]:
    """What the server has against the field at `path`; an error of another kind says that the field passed."""
    try:
        if hasattr(call, "__await__"):
            await call
        else:
            await call.read()
            call.cancel()
    except grpc.aio.AioRpcError as error:
        told = error.details() or ""
        off = "does not offer" in told  # a feature that this server does not have
        return [told] if path in told and not off else []
    return []


@pytest.mark.parametrize("name", FIELD_LIMITS)
def test_each_limited_field_exists(name: str) -> None:
    assert Default().FindFieldByName(name).full_name == name
