"""What a job's spec asks for, made ready to run: handlers looked up, options checked; kept by the spec's bytes.

Jobs of one submit share their spec, so a plan is made once for many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.failure_text import clip, own_failure
from ingest_server.handlers.options import InvalidOptions, OptionsCodec, plain_struct
from ingest_server.handlers.registry import HandlerRegistry

ENTRIES_MAX = 1_024
"""Plans kept. A plan has about 1 KB; specs differ by input name, so a bound is needed more than a good hit rate."""


@dataclass(frozen=True, slots=True)
class Step:
    """One task, ready to be called."""

    function: Callable[..., Any]
    is_async: bool
    codec: OptionsCodec | None
    options: bytes
    merge: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a spec asks for: `spec` itself, or that of the job of which this is a part. `failure` is set instead of `steps` if it
    cannot be done."""

    steps: tuple[Step, ...]
    is_async: bool
    media_type: str
    name: str
    metadata: dict[str, str]
    failure: bytes = b""
    spec: bytes = b""


class Planner:
    """Makes plans, and keeps them.

    Args:
        registry: the handlers.
    """

    def __init__(self, registry: HandlerRegistry) -> None:
        self._registry = registry
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

    def codec(self, options_type: type) -> OptionsCodec:
        """Reads options of that type; made once."""
        codec = self._codecs.get(options_type)
        if codec is None:
            codec = self._codecs[options_type] = OptionsCodec(options_type)
        return codec

    def step(self, name: str, plain: dict[str, Any]) -> Step:
        """A handler with its options. Raises NoPlan if it is not loaded or does not take them."""
        handler = self._registry.get(name)
        if handler is None:
            raise NoPlan(
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
                raise NoPlan(own_failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, message))
            return Step(handler.function, handler.is_async, None, b"", handler.merge)
        codec = self.codec(handler.options_type)
        if handler.internal and not plain:
            return Step(handler.function, handler.is_async, codec, b"{}", handler.merge)  # each part brings its own
        try:
            return Step(handler.function, handler.is_async, codec, codec.encode(plain), handler.merge)
        except InvalidOptions as error:
            failure = own_failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, f"options of handler {name!r}: {error}")
            raise NoPlan(failure) from error

    def _make_plan(self, data: bytes) -> Plan:
        try:
            spec = job_pb2.JobSpec.FromString(data)
        except DecodeError as error:
            failure = own_failure(Code.INTERNAL, Reason.INTERNAL, f"the stored job cannot be read: {error}")
            return Plan((), False, "", "", {}, failure.to_bytes())
        try:
            steps = tuple(self.step(*task_call(task)) for task in spec.tasks)
        except NoPlan as error:
            return Plan((), False, "", "", {}, error.failure.to_bytes())
        is_async = any(step.is_async for step in steps)
        given = spec.input
        return Plan(steps, is_async, given.media_type, given.name, dict(given.metadata), spec=data)


class NoPlan(Exception):
    """A task that cannot be run."""

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
