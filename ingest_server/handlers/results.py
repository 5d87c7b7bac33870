"""From what a handler returned to bytes with a media type, and to the serialized `ingest.v1.Payload` of the job's output."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf.message import Message

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.blobs import BlobAccess
from ingest_server.handlers.inputs import FileInput, MemoryInput
from ingest_server.handlers.interface import Output

DOCUMENT_MEDIA_TYPE = "application/vnd.ingest.document+proto"
MEDIA_TYPE_BYTES_MAX = 255
NAME_BYTES_MAX = 1_024
METADATA_PAIRS_MAX = 64
METADATA_BYTES_MAX = 16 * 1_024
"""Limits of a Payload as in job.proto."""

SHARED_FIELDS_MAX = 256
"""Pairs of media type and name whose serialized form is kept: at most 1.3 KB each."""

_json_encoder = msgspec.json.Encoder()


class BadResult(Exception):
    """What a handler returned cannot be the output of a job. Carries the failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True)
class Result:
    """A handler's result: bytes in `data`, or a file at `path`."""

    data: bytes = b""
    path: Path | None = None
    size_bytes: int = 0
    media_type: str = ""
    name: str = ""
    metadata: Mapping[str, str] | None = None

    def as_input(self, job_name: str = "") -> MemoryInput | FileInput:
        """The input of the task that follows. It keeps the name of the job's input, unless the handler gave another."""
        name = self.name or job_name
        if self.path is not None:
            return FileInput(self.path, self.size_bytes, self.media_type, name, self.metadata)
        return MemoryInput(self.data, self.media_type, name, self.metadata)


def to_result(value: Any) -> Result:
    """Convert what a handler returned, as the table in interface.py says. Raises BadResult (INVALID_RESULT)."""
    if value is None:
        return Result()
    if isinstance(value, Output):
        return _from_output(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(value), "application/octet-stream")
    if isinstance(value, str):
        try:
            return _of_bytes(value.encode(), "text/plain; charset=utf-8")
        except UnicodeEncodeError as error:
            raise _invalid(value, f"text that is not valid Unicode: {error}") from error
    if isinstance(value, Message):
        return _from_message(value)
    try:
        return _of_bytes(_json_encoder.encode(value), "application/json")
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise _invalid(value, f"a value that JSON cannot hold: {error}") from error


def to_payload(result: Result, blobs: BlobAccess, inline_bytes_max: int, result_bytes_max: int) -> tuple[bytes, bytes]:
    """Serialize a result as a Payload.

    Above `inline_bytes_max` its bytes are put into the blob store (fsynced) and the payload holds the reference.

    Returns:
        (the payload, sha256 of the blob: 32 bytes or b"").

    Raises:
        BadResult: RESULT_TOO_LARGE above `result_bytes_max`; INVALID_RESULT if its file cannot be read.
        OSError: the blob could not be written.
    """
    if result.size_bytes > result_bytes_max:
        raise BadResult(
            Failure(
                Code.OUT_OF_RANGE,
                Reason.RESULT_TOO_LARGE,
                f"the handler returned {result.size_bytes} bytes; at most {result_bytes_max} are allowed (result_bytes_max)",
                {"size_bytes": str(result.size_bytes), "limit_bytes": str(result_bytes_max)},
                retryable=False,
            )
        )
    if not result.size_bytes and not result.media_type and not result.name and not result.metadata:
        return b"", b""
    if result.size_bytes <= inline_bytes_max:
        data = result.data if result.path is None else _read_file(result)
        if result.metadata:
            return job_pb2.Payload(
                media_type=result.media_type, name=result.name, metadata=result.metadata, data=data
            ).SerializeToString(), b""
        # Messages one behind the other are one message: what most results of a handler share is serialized once.
        return _shared_fields(result.media_type, result.name) + job_pb2.Payload(data=data).SerializeToString(), b""
    payload = job_pb2.Payload(media_type=result.media_type, name=result.name, metadata=result.metadata)
    if result.path is None:
        digest, size_bytes = blobs.put_bytes(result.data), result.size_bytes
    else:
        digest, size_bytes = blobs.put_file(result.path)
    payload.blob.sha256 = digest.hex()
    payload.blob.size_bytes = size_bytes
    return payload.SerializeToString(), digest


@lru_cache(maxsize=SHARED_FIELDS_MAX)
def _shared_fields(media_type: str, name: str) -> bytes:
    return job_pb2.Payload(media_type=media_type, name=name).SerializeToString()


def discard(path: Path | None) -> None:
    """Remove the file of a result, if it has one, if it lies in the worker's own directory of temporary files: it has been copied
    away. Files elsewhere, such as the input itself, are the handler's own affair."""
    if path is not None and path.is_relative_to(tempfile.gettempdir()):
        path.unlink(missing_ok=True)


def _of_bytes(data: bytes, media_type: str) -> Result:
    return Result(data=data, size_bytes=len(data), media_type=media_type)


def _from_message(message: Message) -> Result:
    full_name = message.DESCRIPTOR.full_name
    try:
        data = message.SerializeToString()
    except Exception as error:  # EncodeError, and ValueError above 2 GiB
        raise _invalid(message, f"a message that cannot be serialized: {error}") from error
    if full_name == "ingest.v1.Document":
        return _of_bytes(data, DOCUMENT_MEDIA_TYPE)
    return _of_bytes(data, f"application/x-protobuf; messageType={full_name}")


def _from_output(output: Output) -> Result:
    media_type, name, metadata = output.media_type, output.name, output.metadata
    if not isinstance(media_type, str) or not isinstance(name, str):
        raise _invalid(output, "an Output whose media_type or name is no string")
    _check_text(output, "media_type", media_type, MEDIA_TYPE_BYTES_MAX)
    _check_text(output, "name", name, NAME_BYTES_MAX)
    if metadata:
        _check_metadata(output, metadata)
    if output.path is None:
        if not isinstance(output.data, (bytes, bytearray, memoryview)):
            raise _invalid(output, f"an Output whose data is {type(output.data).__name__}, not bytes")
        data = bytes(output.data)
        return Result(data, None, len(data), media_type, name, metadata)
    if len(output.data):
        raise _invalid(output, "an Output with both data and path: give one")
    try:
        path = Path(output.path).absolute()
        if not path.is_file():
            raise _invalid(output, f"an Output whose path {str(path)!r} is no file")
        return Result(b"", path, path.stat().st_size, media_type, name, metadata)
    except (OSError, TypeError) as error:
        raise _invalid(output, f"an Output whose path cannot be read: {error}") from error


def _check_metadata(output: Output, metadata: Mapping[str, str]) -> None:
    try:
        pairs = list(metadata.items())
        size_bytes = sum(len(key.encode()) + len(value.encode()) for key, value in pairs)
    except (AttributeError, TypeError, UnicodeEncodeError) as error:
        raise _invalid(output, "an Output whose metadata is no mapping of strings to strings") from error
    if len(pairs) > METADATA_PAIRS_MAX or size_bytes > METADATA_BYTES_MAX:
        raise _invalid(
            output,
            f"an Output with {len(pairs)} metadata pairs of {size_bytes} bytes; at most {METADATA_PAIRS_MAX} pairs and "
            f"{METADATA_BYTES_MAX} bytes are allowed",
        )


def _check_text(output: Output, field: str, text: str, limit_bytes: int) -> None:
    size_bytes = len(text.encode(errors="replace"))
    if size_bytes > limit_bytes:
        raise _invalid(output, f"an Output whose {field} has {size_bytes} bytes; at most {limit_bytes} are allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _invalid(output, f"an Output whose {field} is not valid Unicode: {error}") from error


def _read_file(result: Result) -> bytes:
    assert result.path is not None
    try:
        data = result.path.read_bytes()
    except OSError as error:
        raise _invalid(result, f"an Output whose path cannot be read: {error}") from error
    return data


def _invalid(value: Any, what: str) -> BadResult:
    name = type(value).__name__
    return BadResult(
        Failure(Code.INTERNAL, Reason.INVALID_RESULT, f"the handler returned {what}"[:2_000], {"type": name}, retryable=False)
    )
