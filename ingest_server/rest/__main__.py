"""The command `ingest-rest`: a shim of its own, in front of a server anywhere.

Exit status: 0 after a drain, 1 when it could not start, 2 when the settings are wrong. It may be started before its server, and
tells by /readyz when that one is there.
"""

from __future__ import annotations

import os
import sys

from ingest_server.configuration.declaration import SettingsError
from ingest_server.configuration.rest_settings import REST_SOURCES
from ingest_server.domain.address import listen_socket, url_of
from ingest_server.observability.logging import configure_logging


def main() -> int:
    """Run the command. Answers its exit status."""
    try:
        invocation = REST_SOURCES.load(sys.argv[1:], os.environ)
    except SettingsError as error:
        print("ingest-rest: the settings are wrong:", *error.faults, sep="\n  ", file=sys.stderr)
        return 2
    settings = invocation.settings
    if invocation.print_config:
        print(REST_SOURCES.to_toml(settings), end="")
        return 0
    configure_logging(settings.rest_log_level, settings.rest_log_format)
    # Imported late: --help and --print-config need none of it.
    from ingest_server.rest.command import run

    try:
        with listen_socket("listen", settings.rest_listen, settings.rest_connections_max) as listening:
            url = url_of(listening, tls=bool(settings.rest_tls_cert))
            return run(settings, listening, lambda: print(f"listening on {url}", flush=True), supervised=False)
    except OSError as error:
        print(f"ingest-rest: {error.strerror or error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
