"""Runs the tasks of a job, in one chain of small steps: planned, prepared, called, converted, passed on, serialized.

The plan of a spec (which handlers, which options) is made once and kept by the spec's bytes: jobs of one submit share them.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.blobs import BlobAccess
from ingest_server.handlers.context import AttemptContext
from ingest_server.handlers.inputs import FileInput, MemoryInput
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.options import InvalidOptions, OptionsCodec, plain_struct
from ingest_server.handlers.registry import HandlerRegistry
from ingest_server.handlers.results import BadResult, Result, discard, to_payload, to_result

EMPTY_OUTPUT: tuple[bytes, bytes, bytes] = (b"", b"", b"")
ENTRIES_MAX = 1_024
"""Plans kept. A plan has about 1 KB; specs differ by input name, so a bound is needed more than a good hit rate."""

AttemptResult: TypeAlias = tuple[bytes, bytes, bytes]
"""(output: a serialized Payload, failure: `Failure.to_bytes()` or b"" for success, blob sha256 of the output or b"")"""


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """Bounds of what an attempt gives back, in bytes: inline output, output in all, text of a failure (message and traceback
    each)."""

    inline_bytes_max: int = 64 * 1_024
    result_bytes_max: int = 256 * 1_024 * 1_024
    failure_bytes_max: int = 8 * 1_024


@dataclass(frozen=True, slots=True)
class Step:
    """One task, ready to be called."""

    function: Callable[..., Any]
    is_async: bool
    codec: OptionsCodec | None
    options: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What a spec asks for. `failure` is set instead of `steps` if it cannot be done."""

    steps: tuple[Step, ...]
    is_async: bool
    media_type: str
    name: str
    metadata: dict[str, str]
    failure: bytes = b""


class Executor:
    """Runs attempts in this process.

    Args:
        registry: the handlers.
        blobs: where large inputs are found and large outputs go.
        limits: bounds of results.
    """

    def __init__(self, registry: HandlerRegistry, blobs: BlobAccess, limits: ResultLimits) -> None:
        self._registry = registry
        self._blobs = blobs
        self._limits = limits
        self._plans: dict[bytes, Plan] = {}
        self._codecs: dict[type, OptionsCodec] = {}

    def plan(self, spec: bytes) -> Plan:
        """What a serialized JobSpec asks for. Never raises: a spec that cannot be run has a plan with a failure."""
        plan = self._plans.get(spec)
        if plan is None:
            if len(self._plans) >= ENTRIES_MAX:
                # Oldest first: dicts keep the order of insertion, and one look-up per new spec is cheap enough.
                del self._plans[next(iter(self._plans))]
            plan = self._plans[spec] = self._make_plan(spec)
        return plan

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
        try:
            context.input_source = (self._input, plan, payload)
            last: Result | None = None
            for step in plan.steps:
                if last is not None:
                    context.next_input(last.as_input())
                codec = step.codec
                value = step.function(context) if codec is None else step.function(context, codec.decode(step.options))
                if value is None and len(plan.steps) == 1:
                    return EMPTY_OUTPUT
                last = to_result(value)
            return self._output(last)
        finally:
            context.close()

    async def run_async(self, plan: Plan, payload: bytes, context: AttemptContext) -> AttemptResult:
        """The same for a plan with at least one async handler; its other handlers run inline."""
        if plan.failure:
            return b"", plan.failure, b""
        try:
            context.input_source = (self._input, plan, payload)
            last: Result | None = None
            for step in plan.steps:
                if last is not None:
                    context.next_input(last.as_input())
                arguments = (context,) if step.codec is None else (context, step.codec.decode(step.options))
                value = step.function(*arguments)
                if inspect.isawaitable(value):
                    value = await value
                last = to_result(value)
            return self._output(last)
        finally:
            context.close()

    def failure_of(self, error: BaseException) -> Failure:
        """How what an attempt raised is told, within the bounds of size."""
        if isinstance(error, BadResult):
            return error.failure
        if isinstance(error, InvalidOptions):
            return _failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, str(error))
        limit = self._limits.failure_bytes_max
        if isinstance(error, HandlerFailure):
            metadata = _bounded_metadata(error.metadata, limit)
            try:
                code = Code(error.code)
            except ValueError:
                code = Code.UNKNOWN
            return Failure(code, clip(str(error.reason), 128), clip(str(error.message), limit), metadata, bool(error.retryable))
        name = type(error).__qualname__
        module = type(error).__module__
        full_name = name if module in ("builtins", "__main__") else f"{module}.{name}"
        text = _text_of(error)
        message = f"the handler raised {name}: {text}" if text else f"the handler raised {name}"
        metadata = {"exception": clip(full_name, 256), "traceback": clip_front(_traceback_of(error), limit)}
        return Failure(Code.UNKNOWN, Reason.HANDLER_ERROR, clip(message, limit), metadata)

    def _input(self, plan: Plan, payload: bytes) -> MemoryInput | FileInput:
        if payload[:1] == b"b":
            path = self._blobs.path_of(payload[1:33])
            size_bytes = int.from_bytes(payload[33:41], "little")
            if not path.is_file():
                raise HandlerFailure(
                    f"the input, blob {payload[1:33].hex()}, is not in the blob store: upload it again",
                    reason=Reason.BLOB_NOT_FOUND,
                    code=Code.NOT_FOUND,
                )
            return FileInput(path, size_bytes, plan.media_type, plan.name, plan.metadata)
        return MemoryInput(payload[1:], plan.media_type, plan.name, plan.metadata)

    def _output(self, last: Result | None) -> AttemptResult:
        if last is None:
            return EMPTY_OUTPUT
        try:
            output, blob = to_payload(last, self._blobs, self._limits.inline_bytes_max, self._limits.result_bytes_max)
        except OSError as error:
            raise BadResult(
                Failure(
                    Code.RESOURCE_EXHAUSTED,
                    Reason.STORAGE_FULL,
                    f"the result of {last.size_bytes} bytes could not be written to the blob store: {error.strerror}",
                )
            ) from error
        if last.path is not None:
            discard(last)
        return output, b"", blob

    def _make_plan(self, data: bytes) -> Plan:
        try:
            spec = job_pb2.JobSpec.FromString(data)
        except DecodeError as error:
            failure = _failure(Code.INTERNAL, Reason.INTERNAL, f"the stored job cannot be read: {error}")
            return Plan((), False, "", "", {}, failure.to_bytes())
        try:
            steps = tuple(self._step(task) for task in spec.tasks)
        except _NoPlan as error:
            return Plan((), False, "", "", {}, error.failure.to_bytes())
        is_async = any(step.is_async for step in steps)
        given = spec.input
        return Plan(steps, is_async, given.media_type, given.name, dict(given.metadata))

    def _step(self, task: job_pb2.Task) -> Step:
        name, plain = task_call(task)
        handler = self._registry.get(name)
        if handler is None:
            raise _NoPlan(
                Failure(
                    Code.INVALID_ARGUMENT,
                    Reason.UNKNOWN_HANDLER,
                    f"no handler named {name!r} is loaded: start the server with the module that has it",
                    {"handler": clip(name, 128)},
                    retryable=False,
                )
            )
        if handler.options_type is None:
            if plain:
                message = f"handler {name!r} takes no options, but was given {sorted(plain)[0]!r}"
                raise _NoPlan(_failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, message))
            return Step(handler.function, handler.is_async, None, b"")
        codec = self._codecs.get(handler.options_type)
        if codec is None:
            codec = self._codecs[handler.options_type] = OptionsCodec(handler.options_type)
        try:
            return Step(handler.function, handler.is_async, codec, codec.encode(plain))
        except InvalidOptions as error:
            failure = _failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, f"options of handler {name!r}: {error}")
            raise _NoPlan(failure) from error


class _NoPlan(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def task_call(task: job_pb2.Task) -> tuple[str, dict[str, Any]]:
    """Name of the handler that a task is for, and the plain options it gives."""
    kind = task.WhichOneof("kind")
    if kind == "custom":
        return task.custom.handler, plain_struct(task.custom.options) if task.custom.HasField("options") else {}
    if kind is None:
        return "", {}
    # Other typed tasks go to the built-in handler of the same name; their fields are its options.
    message = getattr(task, kind)
    return kind, {field.name: _plain_field(getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _plain_field(value: Any) -> Any:
    """A field's value as JSON can hold it: repeated fields as lists."""
    return value if isinstance(value, (str, bytes, bool, int, float)) else list(value)


def handler_names(tasks: Sequence[job_pb2.Task]) -> tuple[str, ...]:
    """Names of the handlers that tasks are for, without looking at the options."""
    return tuple(task.custom.handler if (kind := task.WhichOneof("kind")) == "custom" else kind or "" for task in tasks)


def clip(text: str, limit_bytes: int) -> str:
    """The text, cut so that its UTF-8 form has at most so many bytes."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit_bytes:
        return data.decode()
    return data[: limit_bytes - 3].decode("utf-8", "ignore") + "…"


def clip_front(text: str, limit_bytes: int) -> str:
    """The same, but the end is kept: the last lines of a traceback tell most."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit_bytes:
        return data.decode()
    return "…" + data[3 - limit_bytes :].decode("utf-8", "ignore")


def _failure(code: Code, reason: Reason, message: str) -> Failure:
    return Failure(code, reason, clip(message, 2_048), retryable=False)


def _bounded_metadata(metadata: object, limit_bytes: int) -> dict[str, str]:
    if not isinstance(metadata, dict):
        return {}
    kept: dict[str, str] = {}
    room_bytes = limit_bytes
    for key, value in list(metadata.items())[:64]:
        name, text = clip(str(key), 128), clip(str(value), 2_048)
        room_bytes -= len(name.encode()) + len(text.encode())
        if room_bytes < 0:
            break
        kept[name] = text
    return kept


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # a __str__ of the author's own
        return f"(its text cannot be read: {type(second).__name__})"


def _traceback_of(error: BaseException) -> str:
    try:
        # 20 frames at either end say where; a RecursionError has a thousand.
        return "".join(traceback.format_exception(error, limit=-20))
    except BaseException as second:
        return f"(traceback cannot be formatted: {type(second).__name__})"
