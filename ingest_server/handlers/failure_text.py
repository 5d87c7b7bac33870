"""How what an attempt raised is told: a failure, its texts within bounds, cut where they tell least."""

from __future__ import annotations

import traceback

from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.options import InvalidOptions
from ingest_server.handlers.results import BadResult

TEXT_BYTES_MAX = 2_048
"""Of a message of our own."""


def failure_of(error: BaseException, limit: int) -> Failure:
    """How what an attempt raised is told; `limit` in bytes holds for the message, the metadata and the traceback, each."""
    if isinstance(error, BadResult):
        return error.failure
    if isinstance(error, InvalidOptions):
        return own_failure(Code.INVALID_ARGUMENT, Reason.INVALID_OPTIONS, str(error))
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


def own_failure(code: Code, reason: Reason, message: str) -> Failure:
    """A failure that no further attempt helps."""
    return Failure(code, reason, clip(message, TEXT_BYTES_MAX), retryable=False)


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
