"""Binds servicers to RPCs: from a service's descriptor and an object with a method per RPC to what gRPC calls.

Messages are read and written here and not by gRPC, for two reasons: a request that cannot be read becomes INVALID_ARGUMENT with a
reason instead of INTERNAL without one, and answers that are serialized already pass through as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from ingest_server.domain.errors import InvalidRequest, Reason
from ingest_server.wire.calls import Behaviour, Context, Interceptor, Method
from ingest_server.wire.limits import LiveConfiguration


@dataclass(frozen=True, slots=True)
class Binding:
    """A method and what serves it."""

    method: Method
    behaviour: Behaviour


def bind(
    service: ServiceDescriptor,
    servicer: object,
    configuration: LiveConfiguration,
    *,
    waits: frozenset[str] = frozenset(),
    raw: frozenset[str] = frozenset(),
) -> list[Binding]:
    """Bind every RPC of a service.

    Args:
        service: its descriptor.
        servicer: has a coroutine method of each RPC's name: `(request, context)`. It answers a message, serialized bytes, or
            None after it wrote to a stream. A client stream comes as an async iterator of messages.
        configuration: for the largest request.
        waits: RPCs that may last long by design; streams are always among them.
        raw: RPCs that take their request serialized.

    Raises:
        AttributeError: the servicer lacks an RPC: no server starts with a hole in its contract.
    """
    return [_bind_one(service, rpc, getattr(servicer, rpc.name), configuration, waits, raw) for rpc in service.methods]


def _bind_one(
    service: ServiceDescriptor,
    rpc: MethodDescriptor,
    serve: Callable[[Any, Context], Any],
    configuration: LiveConfiguration,
    waits: frozenset[str],
    raw: frozenset[str],
) -> Binding:
    streams = rpc.client_streaming or rpc.server_streaming
    method = Method(service.full_name, rpc.name, rpc.client_streaming, rpc.server_streaming, streams or rpc.name in waits)
    request_class = message_factory.GetMessageClass(rpc.input_type)
    read = _reader(request_class, configuration, raw=rpc.name in raw)

    async def behave(request: bytes, context: Context) -> bytes | None:
        return _written(await serve(read(request), context))

    async def behave_on_stream(requests: AsyncIterator[bytes], context: Context) -> bytes | None:
        return _written(await serve(_read_all(requests, read), context))

    return Binding(method, behave_on_stream if rpc.client_streaming else behave)


def _reader(message_class: type[Message], configuration: LiveConfiguration, *, raw: bool) -> Callable[[bytes], Any]:
    """Make the function that reads one request message."""
    name = message_class.DESCRIPTOR.name

    def read(data: bytes) -> Any:
        most = configuration.limits.message_bytes_max
        if len(data) > most:
            raise InvalidRequest(
                f"the {name} has {len(data):,} bytes; at most {most:,} are allowed: send less, or upload blobs",
                reason=Reason.TOO_LARGE,
                metadata={"limit_bytes": str(most), "size_bytes": str(len(data))},
            )
        if raw:
            return data
        try:
            return message_class.FromString(data)
        except DecodeError:
            raise InvalidRequest(f"the request is not a valid {name}: truncated, or text that is not UTF-8") from None

    return read


async def _read_all(requests: AsyncIterator[bytes], read: Callable[[bytes], Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield read(request)


def _written(answer: Message | bytes | None) -> bytes | None:
    return answer.SerializeToString() if isinstance(answer, Message) else answer


class MethodHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg,misc,unused-ignore]  # stubs differ
    """All methods of the server, with their interceptors around them.

    Args:
        bindings: of all services.
        interceptors: the outermost first.
    """

    def __init__(self, bindings: Sequence[Binding], interceptors: Sequence[Interceptor]) -> None:
        self._handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]] = {
            binding.method.path: _handler(binding.method, _composed(binding, interceptors)) for binding in bindings
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find the handler of a call; None, which gRPC answers with UNIMPLEMENTED, if there is no such method."""
        return self._handlers.get(handler_call_details.method)


def _composed(binding: Binding, interceptors: Sequence[Interceptor]) -> Behaviour:
    behaviour = binding.behaviour
    for interceptor in reversed(interceptors):
        behaviour = interceptor.wrap(binding.method, behaviour)
    return behaviour


def _handler(method: Method, behaviour: Behaviour) -> grpc.RpcMethodHandler[Any, Any]:
    """Wrap a behaviour for gRPC. No (de)serializers: bytes in, bytes out."""
    if method.request_streaming and method.response_streaming:
        return grpc.stream_stream_rpc_method_handler(behaviour)
    if method.request_streaming:
        return grpc.stream_unary_rpc_method_handler(behaviour)
    if method.response_streaming:
        return grpc.unary_stream_rpc_method_handler(behaviour)
    return grpc.unary_unary_rpc_method_handler(behaviour)
