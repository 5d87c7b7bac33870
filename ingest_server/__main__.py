"""The command `ingest-server`: reads the settings, runs one server, and ends with a status that tells the truth.

Exit status: 0 after a drain, 1 when the server could not start or a part of it failed, 2 when the settings are wrong.
"""

from __future__ import annotations

import logging
import os
import sys

from ingest_server.configuration.declaration import SettingsError
from ingest_server.observability.logging import configure_logging
from ingest_server.settings import Settings
from ingest_server.settings_sources import load_settings, to_toml

log = logging.getLogger(__name__)


def main() -> int:
    """Run the command. Answers its exit status."""
    try:
        invocation = load_settings(sys.argv[1:], os.environ)
    except SettingsError as error:
        print("ingest-server: the settings are wrong:", *error.faults, sep="\n  ", file=sys.stderr)
        return 2
    if invocation.print_config:
        print(to_toml(invocation.settings), end="")
        return 0
    configure_logging(invocation.settings.log_level, invocation.settings.log_format)
    return _run(invocation.settings)


def _run(settings: Settings) -> int:
    # What gRPC's core writes to stderr is no line of our log, and says nothing that our own messages do not.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Imported late: --help and --print-config need none of it.
    import uvloop

    from ingest_server.app import App
    from ingest_server.domain.errors import IngestError

    async def serve() -> None:
        await App(settings, lambda: load_settings(sys.argv[1:], os.environ).settings).serve(_announce)

    try:
        uvloop.run(serve())
    except IngestError as error:
        return _failed(error.message)
    except OSError as error:
        return _failed(error.strerror if error.strerror and error.filename is None else str(error))
    except ValueError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return 130
    except Exception:
        log.critical("the server has ended by a fault", exc_info=True)
        return 1
    return 0


def _announce(address: str, rest_url: str) -> None:
    print(f"listening on {address}" + (f", REST on {rest_url}" if rest_url else ""), flush=True)


def _failed(message: str) -> int:
    print(f"ingest-server: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
