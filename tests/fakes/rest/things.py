"""The service of things.proto: compiled when a test needs it, served on a Unix socket, answering what it understood."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api import annotations_pb2, httpbody_pb2
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2, status_pb2

from scripts.lib.generate_protos import google_protos

FOLDER = Path(__file__).resolve().parent
NAMES = "ingest_test.v1"
# What things.proto imports must be in the pool before it.
_IMPORTED = (
    annotations_pb2,
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    httpbody_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)


@cache
def descriptor_set() -> bytes:
    """A FileDescriptorSet of things.proto and all it imports; skips the test where there is no compiler."""
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed: its pinned version has no wheels for this Python")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", f"-I{google_protos()}", "--include_imports"]
        subprocess.run([*command, f"--descriptor_set_out={output}", "things.proto"], check=True, timeout=60)
        return output.read_bytes()


@cache
def service() -> ServiceDescriptor:
    """The descriptor of Things, in the default pool."""
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set()).file:
        if file.name == "things.proto":
            pool.Add(file)
    found: ServiceDescriptor = pool.FindServiceByName(f"{NAMES}.Things")
    return found


def message_class(name: str) -> Any:
    """The class of a message of things.proto."""
    service()
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(f"{NAMES}.{name}"))


class Things:
    """The server. `requests` has every request in order; `cancelled` is set when a Wait is given up."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.waiting = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def echo(self, request: Any, context: Any) -> Any:
        """Answer the request."""
        self._note(request, context)
        await context.send_initial_metadata((("x-echo", "yes"), ("x-echo-bin", b"\x00\xff")))
        context.set_trailing_metadata((("x-end", "reached"),))
        return request

    async def raw(self, request: Any, context: Any) -> Any:
        """Answer bytes of a media type."""
        self._note(request, context)
        return httpbody_pb2.HttpBody(content_type="text/csv", data=b"a,b\n" + request.text.encode())

    async def fail(self, request: Any, context: Any) -> Any:
        """Fail as asked."""
        self._note(request, context)
        status = status_pb2.Status(code=request.code, message=request.message)
        details: list[Any] = [error_details_pb2.ErrorInfo(reason="TEST", domain="things", metadata={"a": "b"})]
        if request.retry_milliseconds:
            details.append(
                error_details_pb2.RetryInfo(
                    retry_delay=duration_pb2.Duration(
                        seconds=request.retry_milliseconds // 1000, nanos=request.retry_milliseconds % 1000 * 1_000_000
                    )
                )
            )
        for detail in details:
            status.details.add().Pack(detail)
        code = next(item for item in grpc.StatusCode if item.value[0] == request.code)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(code, request.message)

    async def tell_metadata(self, request: Any, context: Any) -> Any:
        """Answer the call's metadata, binary values in hexadecimal digits."""
        self._note(request, context)
        answer = struct_pb2.Struct()
        for key, value in self.metadata[-1].items():
            answer[key] = value if isinstance(value, str) else value.hex()
        answer["deadline"] = context.time_remaining() is not None
        return answer

    async def wait(self, request: Any, context: Any) -> Any:
        """Never answer."""
        self._note(request, context)
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Stream numbers, then end as asked."""
        self._note(request, context)
        for number in range(request.count):
            yield message_class("Counted")(number=number)
        if request.code:
            await context.abort(next(item for item in grpc.StatusCode if item.value[0] == request.code), "as asked")

    def _note(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))

    def handlers(self) -> grpc.GenericRpcHandler:
        """What a server serves."""
        behaviours: dict[str, Any] = {"Raw": self.raw, "Fail": self.fail, "Metadata": self.tell_metadata, "Wait": self.wait}
        count: Any = self.count
        methods: dict[str, Any] = {}
        for method in service().methods:
            serializers: dict[str, Any] = {
                "request_deserializer": message_factory.GetMessageClass(method.input_type).FromString,
                "response_serializer": message_factory.GetMessageClass(method.output_type).SerializeToString,
            }
            if method.server_streaming:
                methods[method.name] = grpc.unary_stream_rpc_method_handler(count, **serializers)
            else:
                behaviour = behaviours.get(method.name, self.echo)
                methods[method.name] = grpc.unary_unary_rpc_method_handler(behaviour, **serializers)
        return grpc.method_handlers_generic_handler(service().full_name, methods)
