"""From what a caller hands in to the bytes of one item of SubmitJobsRequest; files are read here, or hashed if they become blobs.

A message is put together from parts that are serialized already: concatenated encodings of one message merge (Protocol Buffers,
"Encoding", section "Last One Wins"), so the cached policy of a spec and its fresh input simply follow each other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ingest.v1 import job_pb2, job_service_pb2
from ingest_client.errors import InputUnreadable
from ingest_client.inputs import Blob, Input, InputLike, as_input
from ingest_client.specs import JobSpec

JobLike: TypeAlias = "JobSpec | job_pb2.JobSpec | InputLike"

_JOBS_TAG = b"\x1a"  # SubmitJobsRequest.jobs = 3, length-delimited
_INPUT_TAG = b"\x22"  # JobSpec.input = 4, length-delimited
_DATA_TAG = b"\x1a"  # Payload.data = 3, length-delimited
_ITEM_OVERHEAD_BYTES = 512  # header of the input, tags and lengths: names are at most 1,024 bytes, nearly all below 100
_DEFAULT_SPEC = JobSpec()
INVALID_ARGUMENT = 3


def varint(number: int) -> bytes:
    """Encode a length the way protobuf does."""
    if number < 0x80:
        return bytes((number,))
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


class Prepared:
    """One item on its way to the server.

    Attributes:
        shape: the serialized JobSpec without its input, or with all of it if `given` is None.
        given: the input, None for a whole message.
        size_bytes: about what it adds to a message; a file counts with its size until it is known to become a blob.
        upload_bytes: about what has to be uploaded before it can be submitted.
        blob: what has to be uploaded, or was, in place of the bytes.
    """

    __slots__ = ("blob", "given", "shape", "size_bytes", "upload_bytes")

    def __init__(self, shape: bytes, given: Input | None, size_bytes: int, upload_bytes: int = 0) -> None:
        self.shape = shape
        self.given = given
        self.size_bytes = size_bytes
        self.upload_bytes = upload_bytes
        self.blob: Blob | None = None

    @property
    def source(self) -> Path | bytes | None:
        """What the bytes come from, if this item brings bytes of its own."""
        if self.given is None:
            return None
        return self.given.path if self.given.path is not None else self.given.data

    def encode(self) -> bytes:
        """The item as it stands in SubmitJobsRequest, tag and length included. A file must have been loaded before."""
        if self.given is None:
            body = self.shape
        else:
            payload = self._payload(self.given)
            body = b"".join((self.shape, _INPUT_TAG, varint(len(payload)), payload))
        return b"".join((_JOBS_TAG, varint(len(body)), body))

    def _payload(self, given: Input) -> bytes:
        head = b""
        if self.blob is not None:
            header = given.header()
            header.blob.CopyFrom(self.blob.to_proto())
            return header.SerializeToString()
        if given.media_type or given.name or given.metadata or given.data is None:
            head = given.header().SerializeToString()
        if not given.data:
            return head
        return b"".join((head, _DATA_TAG, varint(len(given.data)), given.data))


def prepare(job: JobLike, inline_bytes_max: int) -> Prepared:
    """Look at one item, cheaply: a file is measured, not read.

    Raises:
        InputUnreadable: there is no such file, or it is none.
        TypeError: `job` is nothing that can be submitted.
    """
    if isinstance(job, job_pb2.JobSpec):
        return _prepare_message(job, inline_bytes_max)
    spec = job if isinstance(job, JobSpec) else _DEFAULT_SPEC
    given = as_input(spec.input if isinstance(job, JobSpec) else job)
    shape = spec.shape()
    size_bytes = len(shape) + _ITEM_OVERHEAD_BYTES + len(given.uri)
    if given.data is not None:
        size = len(given.data)
    elif given.path is not None:
        size = _file_size(given.path)
    else:
        size = 0
    if size > inline_bytes_max:
        return Prepared(shape, given, size_bytes, upload_bytes=size)
    return Prepared(shape, given, size_bytes + size)


def load(item: Prepared, inline_bytes_max: int) -> None:
    """Read a small file into the item; hash what is too large to go inline, and set `blob`. Blocks: meant for a thread.

    Raises:
        InputUnreadable: the file cannot be read.
    """
    given = item.given
    if given is None:
        return
    if given.path is not None:
        try:
            with open(given.path, "rb") as file:
                data = file.read(inline_bytes_max + 1)
                if len(data) > inline_bytes_max:
                    file.seek(0)
                    item.blob = Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
                    return
        except OSError as error:
            raise _unreadable(given.path, error) from error
        item.given = Input(given.media_type, given.name, given.metadata, data=data)
    elif given.data is not None and len(given.data) > inline_bytes_max:
        item.blob = Blob(hashlib.sha256(given.data).hexdigest(), len(given.data))


def encode_request(items: Sequence[bytes], request_id: str, batch_id: str, all_or_nothing: bool) -> bytes:
    """Put a SubmitJobsRequest together from encoded items."""
    head = job_service_pb2.SubmitJobsRequest(request_id=request_id, batch_id=batch_id, all_or_nothing=all_or_nothing)
    return b"".join((head.SerializeToString(), *items))


def _prepare_message(message: job_pb2.JobSpec, inline_bytes_max: int) -> Prepared:
    """A plain message goes as it is, unless its bytes have to become a blob."""
    data = message.input.data
    if len(data) <= inline_bytes_max:
        shape = message.SerializeToString()
        return Prepared(shape, None, len(shape) + 16)
    payload = message.input
    rest = job_pb2.JobSpec()
    rest.CopyFrom(message)
    rest.ClearField("input")
    shape = rest.SerializeToString()
    given = Input(payload.media_type, payload.name, dict(payload.metadata), data=data)
    return Prepared(shape, given, len(shape) + _ITEM_OVERHEAD_BYTES)


def _file_size(path: Path) -> int:
    try:
        status = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not os.path.isfile(path):
        raise InputUnreadable(f"{path} is not a file; name the files in it", code=INVALID_ARGUMENT)
    return status.st_size


def _unreadable(path: Path, error: OSError) -> InputUnreadable:
    return InputUnreadable(f"cannot read {path}: {error.strerror or error}", code=INVALID_ARGUMENT)
