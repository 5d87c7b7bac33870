"""The decorator that makes a callable a handler: reads its signature once and refuses what could not run."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ingest_server.handlers.interface import HandlerSpec
from ingest_server.handlers.options import OptionsCodec

NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
SPEC_ATTRIBUTE = "__ingest_handler__"
"""Where the decorator leaves the `HandlerSpec`; the loader looks for it on a module's public objects."""

Function = TypeVar("Function", bound=Callable[..., Any])


def handler(
    name: str,
    *,
    media_types: Iterable[str] = (),
    preload: Callable[[], object] | None = None,
    merge: Callable[..., object] | None = None,
    internal: bool = False,
) -> Callable[[Function], Function]:
    """Make a callable a handler.

    The callable takes the context and, if it has options, one annotated parameter more: a dataclass or `msgspec.Struct` whose
    fields are the options. It is returned unchanged, so it can still be called and tested directly.

    Args:
        name: what jobs call it by: [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?
        media_types: that it reads; empty: any. For people and clients; nothing is refused because of it.
        merge: makes one result of those of its parts, for a handler that may return a `parts.Split`: called like the handler,
            with `Split.state` and the `parts.PartResult`s, in order, behind its arguments; `async` if the handler is.
        internal: the handler runs parts only.
        preload: called without arguments once, before workers are forked; see `HandlerSpec.preload`.

    Raises:
        ValueError: the name breaks its rule.
        TypeError: the callable or its options type cannot serve; the message says why.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError(f"handler name {name!r} must match {NAME_PATTERN.pattern}: choose a name such as 'my-task'")
    if isinstance(media_types, str):
        raise TypeError(f"handler {name!r}: media_types is the string {media_types!r}: give a tuple of strings")
    if preload is not None and not callable(preload):
        raise TypeError(f"handler {name!r}: preload is {type(preload).__name__}: give a callable without arguments")
    # Options types may be local to the function that decorates, as in tests: their names are found in its frame.
    local_names = sys._getframe(1).f_locals

    def register(function: Function) -> Function:
        if not callable(function):
            raise TypeError(f"handler {name!r}: {type(function).__name__} is not callable")
        spec = HandlerSpec(
            name=name,
            function=function,
            options_type=_options_type(name, function, local_names),
            description=(inspect.getdoc(function) or "").partition("\n")[0].strip(),
            media_types=tuple(media_types),
            is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__),
            preload=preload,
            merge=merge,
            internal=internal,
        )
        setattr(function, SPEC_ATTRIBUTE, spec)
        return function

    return register


def _options_type(name: str, function: Callable[..., Any], local_names: Mapping[str, Any]) -> type | None:
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = [parameter for parameter in parameters if parameter.default is parameter.empty]
    if not parameters or len(required) > 2:
        raise TypeError(f"handler {name!r} takes {len(required)} parameters: it must take the context, and at most options")
    if len(parameters) == 1 or (len(required) < 2 and parameters[1].annotation is parameters[1].empty):
        return None
    annotation = parameters[1].annotation
    if annotation is inspect.Parameter.empty:
        raise TypeError(f"handler {name!r}: annotate its parameter {parameters[1].name!r} with the type of the options")
    if isinstance(annotation, str):
        names = getattr(inspect.unwrap(function), "__globals__", vars(sys.modules.get(function.__module__, sys)))
        try:
            annotation = eval(annotation, dict(names), dict(local_names))
        except Exception as error:
            raise TypeError(f"handler {name!r}: the options type {annotation!r} cannot be resolved: {error}") from error
    try:
        OptionsCodec(annotation)
    except TypeError as error:
        raise TypeError(f"handler {name!r}: {error}") from error
    return annotation  # type: ignore[no-any-return]  # OptionsCodec has proved it a type
