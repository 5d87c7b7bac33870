"""Server reflection, v1 and v1alpha: tools such as grpcurl learn the contract from the server itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from ingest_server.domain.errors import Code
from ingest_server.wire.calls import Context
from ingest_server.wire.reflection_schema import ReflectionSchema

VERSIONS = ("v1", "v1alpha")
"""Newer tools ask for v1 first, older ones know v1alpha only."""


class ReflectionService:
    """The servicer of one version.

    Args:
        schema: of the version.
        services: full names of all services of the server.
        pools: where descriptors are looked up, in this order.
    """

    def __init__(
        self, schema: ReflectionSchema, services: Sequence[str], pools: Sequence[descriptor_pool.DescriptorPool]
    ) -> None:
        self._schema = schema
        self._services = sorted(services)
        self._pools = pools
        self._answers: dict[str, Callable[[Any, Any], None]] = {
            "file_by_filename": self._file_by_name,
            "file_containing_symbol": self._file_of_symbol,
            "file_containing_extension": self._file_of_extension,
            "all_extension_numbers_of_type": self._extension_numbers,
            "list_services": self._list_services,
        }

    async def ServerReflectionInfo(self, requests: AsyncIterator[Any], context: Context) -> None:
        """Answer each question in turn. What is not found is an answer, and does not end the stream."""
        async for request in requests:
            response = self._schema.response_class(valid_host=request.host, original_request=request)
            kind = request.WhichOneof("message_request")
            try:
                if kind is None:
                    _refuse(response, Code.INVALID_ARGUMENT, "the request asks for nothing")
                else:
                    self._answers[kind](getattr(request, kind), response)
            except KeyError:
                _refuse(response, Code.NOT_FOUND, f"{kind}: not known to this server")
            await context.write(response.SerializeToString())

    def _file_by_name(self, name: str, response: Any) -> None:
        self._add_files(response, self._find(lambda pool: pool.FindFileByName(name)))

    def _file_of_symbol(self, symbol: str, response: Any) -> None:
        self._add_files(response, self._find(lambda pool: _file_with(pool, symbol)))

    def _file_of_extension(self, wanted: Any, response: Any) -> None:
        def find(pool: descriptor_pool.DescriptorPool) -> FileDescriptor:
            message = pool.FindMessageTypeByName(wanted.containing_type)
            extension: Any = pool.FindExtensionByNumber(message, wanted.extension_number)
            return cast(FileDescriptor, extension.file)

        self._add_files(response, self._find(find))

    def _extension_numbers(self, name: str, response: Any) -> None:
        def find(pool: descriptor_pool.DescriptorPool) -> list[int]:
            return [extension.number for extension in pool.FindAllExtensions(pool.FindMessageTypeByName(name))]

        response.all_extension_numbers_response.base_type_name = name
        response.all_extension_numbers_response.extension_number.extend(sorted(self._find(find)))

    def _list_services(self, _: str, response: Any) -> None:
        for name in self._services:
            response.list_services_response.service.add(name=name)

    def _find(self, look: Callable[[descriptor_pool.DescriptorPool], Any]) -> Any:
        """What the first pool that has it has. KeyError if none does."""
        for pool in self._pools:
            try:
                return look(pool)
            except KeyError:
                continue
        raise KeyError

    def _add_files(self, response: Any, file: FileDescriptor) -> None:
        """Add a file and all that it needs, so the asker need not come back for each import."""
        seen: set[str] = set()
        waiting = [file]
        while waiting:
            present = waiting.pop(0)
            if present.name in seen:
                continue
            seen.add(present.name)
            described = FileDescriptorProto()
            present.CopyToProto(described)
            for message in described.message_type:
                _name_in_json(message)
            response.file_descriptor_response.file_descriptor_proto.append(described.SerializeToString())
            waiting.extend(present.dependencies)


def _file_with(pool: descriptor_pool.DescriptorPool, symbol: str) -> FileDescriptor:
    """The file that defines a symbol. Pools know services, messages, enums and fields by name, but not methods."""
    try:
        return pool.FindFileContainingSymbol(symbol)
    except KeyError:
        service = pool.FindServiceByName(symbol.rpartition(".")[0])
        if symbol.rpartition(".")[2] not in service.methods_by_name:
            raise
        return service.file


def _name_in_json(message: DescriptorProto) -> None:
    """Add the JSON names of the fields, which protoc writes and Python's descriptors do not keep: without them grpcurl prints
    `job_id` where protojson says `jobId`."""
    for field in message.field:
        if not field.json_name:
            head, *rest = field.name.split("_")
            field.json_name = head + "".join(part[:1].upper() + part[1:] for part in rest)
    for nested in message.nested_type:
        _name_in_json(nested)


def _refuse(response: Any, code: Code, message: str) -> None:
    response.error_response.error_code = int(code)
    response.error_response.error_message = message
