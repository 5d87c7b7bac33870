"""The entry point: reads the arguments, runs one command, turns every end into an exit status.

0    all went well
1    a job failed, was refused, or does not exist; nothing was found
2    the arguments or the input are wrong
3    the server cannot be reached, or refused the call
130  interrupted with Ctrl-C; jobs that were submitted go on
141  whoever read our output went away (128 + SIGPIPE, as shells count it)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

from ingest_client.cli import cancel, delete, deliveries, fetch, info, list, queues, retry, run, search, stats, submit, watch
from ingest_client.cli.options import UsageError, add_global_options
from ingest_client.cli.printer import Printer
from ingest_client.errors import Denied, IngestClientError, InvalidRequest, NotFound, Unavailable

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_SERVER, EXIT_INTERRUPTED, EXIT_PIPE = 0, 1, 2, 3, 130, 141

COMMANDS = (submit, run, search, watch, fetch, list, cancel, retry, delete, deliveries, stats, info, queues)


def build_parser() -> argparse.ArgumentParser:
    """The whole grammar; global options are understood before and after the command."""
    parser = argparse.ArgumentParser(
        prog="ingest",
        description="Submit documents to an Ingest server, follow them, and fetch what came of them.",
        epilog="Exit status: 0 all fine, 1 a job failed or nothing was found, 2 wrong usage, 3 server unreachable or refusing, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action=_Version, help="print the version, and end")
    add_global_options(parser, defaults=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(commands)
    for subparser in commands.choices.values():
        add_global_options(subparser, defaults=False)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: reading the packages' metadata costs a tenth of a second."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"ingest {version('ingest')}")
        except PackageNotFoundError:
            print("ingest, run from its sources")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        The exit status, as the module lists them. Wrong arguments end the process with 2, as argparse does.
    """
    arguments = build_parser().parse_args(argv)
    printer = Printer(sys.stdout, sys.stderr, as_json=arguments.json, quiet=arguments.quiet)
    try:
        status: int = asyncio.run(arguments.execute(arguments, printer))
        sys.stdout.flush()
    except KeyboardInterrupt:
        printer.error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at its end; let that go nowhere instead of failing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except UsageError as error:
        printer.error(str(error))
        return EXIT_USAGE
    except IngestClientError as error:
        return _report(error, arguments.server, printer)
    except (OSError, ValueError) as error:
        printer.error(str(error))
        return EXIT_USAGE
    return status


def _report(error: IngestClientError, server: str, printer: Printer) -> int:
    """Tell what was wrong and what to do, in one or two lines."""
    if isinstance(error, Unavailable) and error.reason is None:
        printer.error(f"no server answers at {server}: {error.message}")
        printer.error("start one with ingest-server, name another with --server, or add --ca if it speaks TLS")
        return EXIT_SERVER
    printer.error(error.message)
    for violation in error.violations:
        printer.error(f"  {violation.path}: {violation.description}")
    if isinstance(error, NotFound):
        return EXIT_FAILED
    if isinstance(error, InvalidRequest):
        return EXIT_USAGE
    if isinstance(error, Denied):
        printer.error("name a token with --token or INGEST_TOKEN")
    elif error.retry_after_seconds is not None:
        printer.error(f"come back in {error.retry_after_seconds:g} s")
    return EXIT_SERVER
