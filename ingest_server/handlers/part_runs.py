"""Runs parts and merges in a worker.

From a handler's `Split` to the order of its parts, from a part's payload to its plan, and from what became of the parts to the
merge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec
from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.blobs import BlobAccess
from ingest_server.handlers.failure_text import own_failure
from ingest_server.handlers.interface import Context, HandlerFailure, Input
from ingest_server.handlers.options import InvalidOptions
from ingest_server.handlers.part_orders import (
    MERGE,
    PART,
    MergeHead,
    PartEnd,
    PartHead,
    PartOrder,
    SplitOrder,
    part_payload,
    read_merge,
    read_part,
)
from ingest_server.handlers.parts import DEPTH_MAX, ORDER_BYTES_MAX, PARTS_MAX, STATE_BYTES_MAX, Part, PartResult, Split
from ingest_server.handlers.plan import NoPlan, Plan, Planner, Step
from ingest_server.handlers.results import BadResult, Result, to_result

INLINE_BYTES_MAX = 4 * 1024
"""Own inputs of parts up to this size travel with the order; larger ones become blobs."""
INLINE_TOTAL_BYTES_MAX = ORDER_BYTES_MAX // 4
"""Own inputs that travel with one order, in all; those after them become blobs, too."""
COPIED_BYTES_MAX = 4 * 1024 * 1024
"""The input of a job is copied into each of its parts as long as that is no more than this in all; then it becomes a blob."""

_Shared: TypeAlias = tuple[tuple[str, str, dict[str, str]], bytes, bytes]
"""((media type, name, metadata), payload, blob sha256 or b"") of an input"""


class PartRuns:
    """See the module.

    Args:
        planner: finds the handlers.
        blobs: where inputs and results of parts lie.
    """

    def __init__(self, planner: Planner, blobs: BlobAccess) -> None:
        self._planner = planner
        self._blobs = blobs

    def order(self, split: Split, step: Step, plan: Plan, depth: int, fetched: Input | None) -> SplitOrder:
        """What the scheduler is told of a handler that split.

        Args:
            split: what it returned.
            step: the handler.
            plan: of its job.
            depth: of its job: 0 for one that is no part.
            fetched: the input of its job where parts and merge share what it holds now, as a blob: it is a reference, or would
                be copied too often (`shares_input`). Else None.

        Raises:
            BadResult: INVALID_RESULT, with what is wrong; STORAGE_FULL if an input cannot be kept.
        """
        if fault := _fault(split, step, plan, depth):
            raise BadResult(own_failure(Code.INTERNAL, Reason.INVALID_RESULT, f"the handler returned a Split {fault}"))
        try:
            options = [self._planner.step(split.handler, dict(part.options)).options for part in split.parts]
        except (NoPlan, InvalidOptions) as error:
            message = f"the handler returned a Split whose parts cannot run: {error}"
            raise BadResult(own_failure(Code.INTERNAL, Reason.INVALID_RESULT, message)) from error
        shared = self._shared(fetched) if fetched is not None and any(part.input is None for part in split.parts) else None
        orders: list[PartOrder] = []
        room_bytes = INLINE_TOTAL_BYTES_MAX
        for part, told in zip(split.parts, options, strict=True):
            orders.append(self._part(part, told, depth + 1, shared, min(INLINE_BYTES_MAX, room_bytes)))
            room_bytes = max(room_bytes - len(orders[-1].payload or b""), 0)
        given = b"" if shared is None else part_payload(PartHead(step.options, depth, True, *shared[0])) + shared[1]
        return SplitOrder(_part_spec(plan, split.handler), orders, split.unit, split.state, given)

    def _part(self, part: Part, options: bytes, depth: int, shared: _Shared | None, inline_bytes_max: int) -> PartOrder:
        fetched = b""
        if part.input is not None:
            given = part.input
            described = (given.media_type, given.name, dict(given.metadata))
            payload, blob = self._kept(to_result(given), inline_bytes_max)
        elif shared is not None:
            described, payload, blob = shared
            fetched = blob
        else:
            return PartOrder(part_payload(PartHead(options, depth)), None, b"", part.units)
        return PartOrder(part_payload(PartHead(options, depth, True, *described, fetched)), payload, blob, part.units)

    def _shared(self, fetched: Input) -> _Shared:
        """An input that all parts share."""
        result = Result(path=fetched.path(), size_bytes=fetched.size_bytes)
        return (fetched.media_type, fetched.name, dict(fetched.metadata)), *self._kept(result, 0)

    def _kept(self, result: Result, inline_bytes_max: int) -> tuple[bytes, bytes]:
        """The payload of an input, and the blob it refers to."""
        if result.path is None and result.size_bytes <= inline_bytes_max:
            return (b"i" + bytes(result.data)) if result.size_bytes else b"", b""
        try:
            if result.path is None:
                digest, size_bytes = self._blobs.put_bytes(result.data), result.size_bytes
            else:
                digest, size_bytes = self._blobs.put_file(result.path)
        except OSError as error:
            message = f"the input of a part, {result.size_bytes} bytes, could not be written to the blob store: {error.strerror}"
            raise BadResult(Failure(Code.RESOURCE_EXHAUSTED, Reason.STORAGE_FULL, message)) from error
        return b"b" + digest + size_bytes.to_bytes(8, "little"), digest

    def unfold(self, plan: Plan, payload: bytes) -> tuple[Plan, bytes, int]:
        """What a payload with a head means: the plan that runs, the payload it works on, and its depth.

        Raises:
            HandlerFailure: INTERNAL, if it cannot be read.
        """
        try:
            if payload[:1] == MERGE:
                head, rest = read_merge(payload)
                depth = 0
                if rest[:1] == PART:
                    plan, rest, depth = self.unfold(plan, rest)
                first = plan.steps[0]
                merge = _bound(first, head, [self._result(end) for end in head.ends])
                merging = replace(first, function=merge, merge=None)
                return replace(plan, steps=(merging, *plan.steps[1:])), rest, depth
            part, rest = read_part(payload)
            step = replace(plan.steps[0], options=part.options)
            plan = replace(plan, steps=(step, *plan.steps[1:]))
            if part.own_input:
                plan = replace(plan, media_type=part.media_type, name=part.name, metadata=part.metadata)
            return plan, rest, part.depth
        except (msgspec.MsgspecError, DecodeError, IndexError, ValueError) as error:
            message = f"the stored part of {len(payload)} bytes cannot be read: {error}"
            raise HandlerFailure(message, reason=Reason.INTERNAL, code=Code.INTERNAL, retryable=False) from error

    def _result(self, end: PartEnd) -> PartResult:
        if end.failure:
            return PartResult(Failure.from_bytes(end.failure), "", 0, end.units)
        output = job_pb2.Payload.FromString(end.output)
        if output.WhichOneof("content") != "blob":
            return PartResult(None, output.media_type, len(output.data), end.units, data=output.data)
        path = self._blobs.path_of(bytes.fromhex(output.blob.sha256))
        if path.is_file():
            return PartResult(None, output.media_type, output.blob.size_bytes, end.units, path=path)
        failure = Failure(Code.NOT_FOUND, Reason.BLOB_NOT_FOUND, f"the result of the part, blob {output.blob.sha256}, is gone")
        return PartResult(failure, "", 0, end.units)


def shares_input(split: Split, payload: bytes) -> bool:
    """Whether the parts are given a job's input as a blob: it is fetched once, or not copied into the store for every part."""
    return payload[:1] == b"u" or (payload[:1] == b"i" and len(payload) * len(split.parts) > COPIED_BYTES_MAX)


def _fault(split: Split, step: Step, plan: Plan, depth: int) -> str:
    """What is wrong with a split; "" if nothing is."""
    if step.merge is None:
        return "but has no `merge`: name one in its decorator"
    if step is not plan.steps[0]:
        return "as a later task: only the first task of a job can split"
    if depth >= DEPTH_MAX:
        return f"at depth {depth}: parts may split at most {DEPTH_MAX} levels deep"
    if not 1 <= len(split.parts) <= PARTS_MAX:
        return f"of {len(split.parts)} parts: give 1 … {PARTS_MAX}"
    if len(split.state) > STATE_BYTES_MAX:
        return f"with {len(split.state)} bytes of state: give at most {STATE_BYTES_MAX}"
    return ""


def _part_spec(plan: Plan, handler: str) -> bytes:
    """The spec of the parts of a job: one handler, with the job's input, time limit and retries."""
    given = job_pb2.JobSpec.FromString(plan.spec)
    spec = job_pb2.JobSpec(input=given.input, attempt_timeout=given.attempt_timeout, retry_policy=given.retry_policy)
    spec.tasks.add().custom.handler = handler
    return spec.SerializeToString(deterministic=True)


def _bound(step: Step, head: MergeHead, results: Sequence[PartResult]) -> Callable[..., Any]:
    """The merge of a handler as a function of context and options. The job's progress is that all its parts are done."""
    merge = step.merge
    assert merge is not None, "who splits has one"
    units = sum(end.units for end in head.ends)

    def run(context: Context, *options: Any) -> Any:
        context.progress(units, units, head.unit)
        return merge(context, *options, head.state, results)

    return run
