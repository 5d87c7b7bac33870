"""Log lines: structured, bounded, on stderr only; stdout belongs to the one line that says where the server listens.

A line never carries a payload or a secret: values under the names of `HIDDEN_KEYS` are masked, bytes become their length. Each
text, each line and the number of lines per second has a limit, so neither a hostile file name nor a loop of errors fills a disk.
Lines of other libraries (asyncio, grpc) take the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from ingest_server.domain.clock import Clock, SystemClock

HIDDEN_KEYS = frozenset(
    {"authorization", "auth_token", "token", "tokens", "password", "secret", "payload", "input", "output", "data", "spec"}
)
MASK = "********"
TEXT_CHARACTERS_MAX = 2_000
TRACEBACK_CHARACTERS_MAX = 8_000
FIELDS_MAX = 40
LINES_PER_SECOND_MAX = 200
"""About 100 KB/s of usual lines: what a person or a collector can still take in."""

EventDict = MutableMapping[str, Any]
Processor = Callable[[Any, str, EventDict], EventDict]


def configure_logging(
    level: str,
    form: str,
    *,
    stream: TextIO | None = None,
    clock: Clock | None = None,
    lines_per_second_max: int = LINES_PER_SECOND_MAX,
) -> None:
    """Set logging up for this process; a later call replaces it.

    Args:
        level: least severe level that is logged: debug, info, warning or error.
        form: json, or text for people.
        stream: where lines go; stderr by default.
        clock: for the limit of lines.
        lines_per_second_max: further lines of a second are dropped and counted; the next line tells how many.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        bounded,
    ]
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    if form == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty(), exception_formatter=plain_exception)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(LineLimit(lines_per_second_max, clock or SystemClock()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Change the least severe level that is logged, while running."""
    logging.getLogger().setLevel(level.upper())


def plain_exception(stream: TextIO, exc_info: Any) -> None:
    """Print a traceback without local variables: those may be payloads."""
    structlog.dev.plain_traceback(stream, exc_info)


def bounded(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Mask, shorten and thin out the values of a line. Fields beyond `FIELDS_MAX` are dropped and counted."""
    kept: EventDict = {}
    for name, value in event.items():
        internal = name.startswith("_")  # structlog's own, taken out before the line is written
        if len(kept) >= FIELDS_MAX and not internal:
            kept["fields_dropped"] = kept.get("fields_dropped", 0) + 1
        elif internal:
            kept[name] = value
        else:
            kept[name] = MASK if name.lower() in HIDDEN_KEYS else _short(name, value)
    return kept


def _short(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    text = value if isinstance(value, str) else repr(value)
    limit = TRACEBACK_CHARACTERS_MAX if name == "exception" else TEXT_CHARACTERS_MAX
    if len(text) <= limit:
        return text
    if name == "exception":
        return f"… {len(text) - limit} characters …\n" + text[-limit:]  # the end says what happened
    return text[:limit] + f"… {len(text) - limit} more characters"


class LineLimit(logging.Filter):
    """Lets so many lines of each second pass; the first line after a loss carries `lines_dropped`."""

    def __init__(self, lines_per_second_max: int, clock: Clock) -> None:
        super().__init__()
        self._most = lines_per_second_max
        self._clock = clock
        self._second = -1
        self._passed = 0
        self._dropped = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line may pass."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._passed = second, 0
        if self._passed >= self._most:
            self._dropped += 1
            return False
        self._passed += 1
        if self._dropped:
            if isinstance(record.msg, dict):
                record.msg["lines_dropped"] = self._dropped
            else:
                record.lines_dropped = self._dropped
            self._dropped = 0
        return True
