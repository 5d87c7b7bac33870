"""The shim as `ingest-server` starts it: `python -m ingest_server.rest.supervised FD`.

FD is a socket that listens already. Settings come by the environment. "ready" on standard output says that it serves; the end of
standard input asks it to drain and end.
"""

from __future__ import annotations

import os
import socket
import sys

from ingest_server.configuration.rest_settings import REST_SOURCES
from ingest_server.observability.logging import configure_logging


def main() -> int:
    """Serve. Answers the exit status."""
    settings = REST_SOURCES.load([], os.environ).settings
    configure_logging(settings.rest_log_level, settings.rest_log_format)
    from ingest_server.rest.command import run

    listening = socket.socket(fileno=int(sys.argv[1]))
    return run(settings, listening, lambda: print("ready", flush=True), supervised=True)


if __name__ == "__main__":
    sys.exit(main())
