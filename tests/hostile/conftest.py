"""The fixtures of the acceptance tests: the same server, treated worse."""

from __future__ import annotations

from tests.acceptance.server.conftest import (
    _no_process_or_file_left,
    _tasks_watched,
    client,
    fifo,
    server,
    start_server,
)

__all__ = ["_no_process_or_file_left", "_tasks_watched", "client", "fifo", "server", "start_server"]
