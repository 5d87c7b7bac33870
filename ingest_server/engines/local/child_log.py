"""The log of a worker: one JSON object per line on stderr, with the worker's name and the attempt that the code belongs to."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from ingest_server.handlers.context import current_attempt

LINE_CHARACTERS_MAX = 32 * 1_024


class JsonLines(logging.Formatter):
    """Formats records.

    Args:
        worker: name of the worker.
    """

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage()[:LINE_CHARACTERS_MAX],
            "worker": self._worker,
        }
        context = current_attempt.get()
        if context is not None:
            line["job_id"] = context.job_id
            line["attempt"] = context.attempt
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-LINE_CHARACTERS_MAX:]
        return json.dumps(line, ensure_ascii=True, default=str)


class _StderrHandler(logging.Handler):
    """Writes to descriptor 2 itself: a handler may have replaced or closed `sys.stderr`. One write per line keeps lines of
    several workers whole."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(2, self.format(record).encode() + b"\n")
        except OSError:
            pass  # nobody reads the log any more: not the job's fault
        except Exception:
            self.handleError(record)


def log_to_stderr(worker: str, level: str) -> None:
    """Send all log lines of this process to stderr, from `level` ("INFO") on."""
    handler = _StderrHandler()
    handler.setFormatter(JsonLines(worker))
    logging.basicConfig(level=level, handlers=[handler], force=True)
