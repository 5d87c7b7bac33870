"""Runs the tasks of a job, in one chain of small steps: planned, prepared, called, converted, passed on, serialized.

A job may be done in parts: then its first handler answers with them instead of a result, they run as jobs of their own, and this
job goes on with what became of them (`parts.py`, `part_runs.py`).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.blobs import BlobAccess
from ingest_server.handlers.context import AttemptContext
from ingest_server.handlers.failure_text import failure_of, own_failure
from ingest_server.handlers.inputs import FileInput, MemoryInput
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.part_orders import MERGE, PART, encode_order
from ingest_server.handlers.part_runs import PartRuns, shares_input
from ingest_server.handlers.parts import ORDER_BYTES_MAX, Split
from ingest_server.handlers.plan import Plan, Planner, Step
from ingest_server.handlers.registry import HandlerRegistry
from ingest_server.handlers.results import BadResult, Result, discard, to_payload, to_result
from ingest_server.handlers.sources.background import fetch_beside
from ingest_server.handlers.sources.fetch import Fetcher
from ingest_server.handlers.sources.limits import SourceLimits

EMPTY_OUTPUT: tuple[bytes, bytes, bytes] = (b"", b"", b"")
PART_INLINE_BYTES_MAX = 1_024
"""Results of parts above this size become blobs: the server holds all of a job's until they are merged."""
_HEADED = (PART, MERGE)

AttemptResult: TypeAlias = tuple[bytes, bytes, bytes]
"""(output: a serialized Payload, failure: `Failure.to_bytes()` or b"" for success, blob sha256 of the output or b"")"""


class Divided(NamedTuple):
    """An `AttemptResult` that is no output: the job goes on in parts. `output` is an encoded `SplitOrder`."""

    output: bytes
    failure: bytes = b""
    blob: bytes = b""


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """Bounds of what an attempt gives back, in bytes: inline output, output in all, text of a failure (message and traceback
    each)."""

    inline_bytes_max: int = 64 * 1_024
    result_bytes_max: int = 256 * 1_024 * 1_024
    failure_bytes_max: int = 8 * 1_024


class Executor:
    """Runs attempts in this process.

    Args:
        registry: the handlers.
        blobs: where large inputs are found and large outputs go.
        limits: bounds of results.
        sources: fetches inputs by reference; None: fetches none.
    """

    def __init__(
        self, registry: HandlerRegistry, blobs: BlobAccess, limits: ResultLimits, sources: Fetcher | None = None
    ) -> None:
        self._planner = Planner(registry)
        self._parts = PartRuns(self._planner, blobs)
        self._blobs = blobs
        self._limits = limits
        self._sources = sources or Fetcher(SourceLimits())

    def plan(self, spec: bytes) -> Plan:
        """See `Planner.plan`."""
        return self._planner.plan(spec)

    def run(self, plan: Plan, payload: bytes, context: AttemptContext) -> AttemptResult:
        """Run all steps of a plan without async handlers.

        Args:
            plan: from `plan`.
            payload: the input as in `engines.interface.AttemptRow`.
            context: of the attempt; closed on return.

        Raises:
            BaseException: whatever a handler raised; `failure_of` says how it is told.
        """
        if plan.failure:
            return b"", plan.failure, b""
        depth = 0
        try:
            if payload[:1] in _HEADED:
                plan, payload, depth = self._parts.unfold(plan, payload)
            context.input_source = (self._input, plan, payload)
            last: Result | None = None
            for step in plan.steps:
                if last is not None:
                    context.next_input(last.as_input(plan.name))
                codec = step.codec
                value = step.function(context) if codec is None else step.function(context, codec.decode(step.options))
                if value is None and len(plan.steps) == 1:
                    return EMPTY_OUTPUT
                if value.__class__ is Split:
                    return self._divided(value, step, plan, depth, payload, context)
                last = to_result(value)
            return self._output(last, depth)
        finally:
            context.close()

    async def run_async(self, plan: Plan, payload: bytes, context: AttemptContext) -> AttemptResult:
        """The same for a plan with at least one async handler; its other handlers run inline. An input by reference is fetched
        before the first begins, on a thread, so that the attempts beside it go on."""
        if plan.failure:
            return b"", plan.failure, b""
        depth = 0
        try:
            if payload[:1] in _HEADED:
                plan, payload, depth = self._parts.unfold(plan, payload)
            if payload[:1] == b"u":
                context.input = await fetch_beside(context, lambda watched: self._fetch(plan, payload, watched))
            else:
                context.input_source = (self._input, plan, payload)
            last: Result | None = None
            for step in plan.steps:
                if last is not None:
                    context.next_input(last.as_input(plan.name))
                arguments = (context,) if step.codec is None else (context, step.codec.decode(step.options))
                value = step.function(*arguments)
                if inspect.isawaitable(value):
                    value = await value
                if value.__class__ is Split:
                    return self._divided(value, step, plan, depth, payload, context)
                last = to_result(value)
            return self._output(last, depth)
        finally:
            context.close()

    def failure_of(self, error: BaseException) -> Failure:
        """How what an attempt raised is told, within the bounds of size."""
        return failure_of(error, self._limits.failure_bytes_max)

    def _input(self, plan: Plan, payload: bytes, context: AttemptContext) -> MemoryInput | FileInput:
        if payload[:1] == b"u":
            return self._fetch(plan, payload, context)
        if payload[:1] == b"b":
            path = self._blobs.path_of(payload[1:33])
            size_bytes = int.from_bytes(payload[33:41], "little")
            if not path.is_file():
                raise HandlerFailure(
                    f"the input, blob {payload[1:33].hex()}, is not in the blob store: upload it again",
                    reason=Reason.BLOB_NOT_FOUND,
                    code=Code.NOT_FOUND,
                )
            return FileInput(path, size_bytes, plan.media_type, plan.name, plan.metadata, payload[1:33].hex())
        return MemoryInput(payload[1:], plan.media_type, plan.name, plan.metadata)

    def _fetch(self, plan: Plan, payload: bytes, context: Context) -> FileInput:
        uri = payload[1:].decode()
        return self._sources.fetch(uri, context, media_type=plan.media_type, name=plan.name, metadata=plan.metadata)

    def _divided(self, split: Split, step: Step, plan: Plan, depth: int, payload: bytes, context: AttemptContext) -> Divided:
        shared = context.input if shares_input(split, payload) else None
        order = encode_order(self._parts.order(split, step, plan, depth, shared))
        if len(order) > ORDER_BYTES_MAX:
            message = (
                f"the handler returned a Split of {len(order)} bytes in all: give fewer parts or shorter options, and at most "
            )
            raise BadResult(own_failure(Code.INTERNAL, Reason.INVALID_RESULT, f"{message}{ORDER_BYTES_MAX}"))
        for part in split.parts:
            if part.input is not None:
                discard(part.input.path)
        return Divided(order)

    def _output(self, last: Result | None, depth: int) -> AttemptResult:
        if last is None:
            return EMPTY_OUTPUT
        inline_bytes_max = min(self._limits.inline_bytes_max, PART_INLINE_BYTES_MAX) if depth else self._limits.inline_bytes_max
        try:
            output, blob = to_payload(last, self._blobs, inline_bytes_max, self._limits.result_bytes_max)
        except OSError as error:
            raise BadResult(
                Failure(
                    Code.RESOURCE_EXHAUSTED,
                    Reason.STORAGE_FULL,
                    f"the result of {last.size_bytes} bytes could not be written to the blob store: {error.strerror}",
                )
            ) from error
        discard(last.path)
        return output, b"", blob
