"""What travels of work in parts: from the worker that split to the scheduler, into each part, and into the merge.

The scheduler passes on what it is given; it reads no more than `SplitOrder` and the head of a payload.

    split, part → output of the attempt      SplitOrder
    payload of a part                        b"p" head, then the payload it works on: its own, or that of its job
    payload of a merge                       b"m" head, then the payload of the job
"""

from __future__ import annotations

import msgspec

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Failure

PART, MERGE = b"p", b"m"
_LENGTH_BYTES = 4
_HEAD_AT = 1 + _LENGTH_BYTES


class PartOrder(msgspec.Struct, array_like=True, frozen=True):
    """One part, ready to be submitted.

    Attributes:
        head: of its payload.
        payload: what follows the head; None: that of the job.
        blob: sha256 of the blob that `payload` refers to; b"" if none.
        units: of progress.
    """

    head: bytes
    payload: bytes | None
    blob: bytes
    units: int


class SplitOrder(msgspec.Struct, array_like=True, frozen=True):
    """A job in parts.

    Attributes:
        spec: of each part: a serialized JobSpec.
        parts: in order.
        unit: of progress.
        state: for the merge.
        given: payload of what the merge works on; b"": that of the job.
    """

    spec: bytes
    parts: list[PartOrder]
    unit: str
    state: bytes
    given: bytes = b""


class PartHead(msgspec.Struct, array_like=True, frozen=True):
    """What a part is told beside its input.

    Attributes:
        options: as `OptionsCodec.encode` made them.
        depth: 1 for a part of a job, 2 for a part of a part.
        own_input: whether media type, name and metadata are those below, and not those of the spec.
        sha256: of an input that was fetched: a part's id follows from its head, so parts of other bytes are other parts.
    """

    options: bytes
    depth: int
    own_input: bool = False
    media_type: str = ""
    name: str = ""
    metadata: dict[str, str] = {}
    sha256: bytes = b""


class PartEnd(msgspec.Struct, array_like=True, frozen=True):
    """How a part ended: its output, a serialized Payload, or its failure, `Failure.to_bytes()`."""

    output: bytes
    failure: bytes
    units: int


class MergeHead(msgspec.Struct, array_like=True, frozen=True):
    """What a merge is told beside the job's input: `SplitOrder.state` and `unit`, and how the parts ended, in their order."""

    state: bytes
    unit: str
    ends: list[PartEnd]


_encode = msgspec.msgpack.Encoder().encode
_order_decoder = msgspec.msgpack.Decoder(SplitOrder)
_part_decoder = msgspec.msgpack.Decoder(PartHead)
_merge_decoder = msgspec.msgpack.Decoder(MergeHead)


def encode_order(order: SplitOrder) -> bytes:
    """The output of an attempt that split."""
    return _encode(order)


def decode_order(data: bytes) -> SplitOrder:
    """The order of an attempt that split. Raises msgspec.MsgspecError."""
    return _order_decoder.decode(data)


def part_payload(head: PartHead) -> bytes:
    """The payload of a part, up to what it works on."""
    return _with_length(PART, _encode(head))


def merge_payload(head: MergeHead, payload: bytes) -> bytes:
    """The payload of a merge; `payload` is that of the job."""
    return _with_length(MERGE, _encode(head)) + payload


def read_part(payload: bytes) -> tuple[PartHead, bytes]:
    """The head of a part's payload, and what it works on."""
    end = _end_of_head(payload)
    return _part_decoder.decode(payload[_HEAD_AT:end]), payload[end:]


def read_merge(payload: bytes) -> tuple[MergeHead, bytes]:
    """The head of a merge's payload, and the payload of the job."""
    end = _end_of_head(payload)
    return _merge_decoder.decode(payload[_HEAD_AT:end]), payload[end:]


def input_of(payload: bytes) -> bytes:
    """What a job works on, whether it is a part or not: payload without a head."""
    return payload[_end_of_head(payload) :] if payload[:1] == PART else payload


def blob_of(payload: bytes) -> bytes:
    """The sha256 of the blob that a payload without head refers to; b"" if it holds its bytes."""
    return payload[1:33] if payload[:1] == b"b" else b""


def progress(completed: int, total: int, unit: str) -> bytes:
    """A serialized Progress."""
    return job_pb2.Progress(completed_units=completed, total_units=total, unit=unit).SerializeToString()


def share_done(data: bytes) -> float:
    """How much of its work a part has done by its own progress, 0 … 1."""
    told = job_pb2.Progress.FromString(data)
    return min(told.completed_units / told.total_units, 1.0) if told.total_units > 0 else 0.0


def ended(output: bytes, failure: bytes, units: int, fallback: Failure) -> PartEnd:
    """How a part ended; one without output has `failure`, or the fallback."""
    return PartEnd(output, failure or fallback.to_bytes(), units) if failure or not output else PartEnd(output, b"", units)


def _with_length(kind: bytes, head: bytes) -> bytes:
    return kind + len(head).to_bytes(_LENGTH_BYTES, "little") + head


def _end_of_head(payload: bytes) -> int:
    return _HEAD_AT + int.from_bytes(payload[1:_HEAD_AT], "little")
