"""Options that every command takes, and the client they describe."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ingest_client._channel import TlsFiles
from ingest_client._retry import RetryLimits
from ingest_client.client import Client

DEFAULT_SERVER = "127.0.0.1:50051"
# A wrong address shall be told of in half a second; once the server has answered, breaks are ridden out for longer.
_PROBE = RetryLimits(attempts_max=5)


class UsageError(Exception):
    """The arguments fit the grammar but make no sense."""


def add_global_options(parser: argparse.ArgumentParser, *, defaults: bool) -> None:
    """Add them; without `defaults` what is not given here leaves alone what was given before the command."""

    def default(value: Any) -> Any:
        return value if defaults else argparse.SUPPRESS

    group = parser.add_argument_group("connection and output")
    group.add_argument(
        "--server",
        metavar="HOST:PORT",
        default=default(os.environ.get("INGEST_SERVER", DEFAULT_SERVER)),
        help=f"address of the server (INGEST_SERVER; default {DEFAULT_SERVER})",
    )
    group.add_argument("--token", default=default(os.environ.get("INGEST_TOKEN", "")), help="bearer token (INGEST_TOKEN)")
    group.add_argument("--tls", action="store_true", default=default(False), help="TLS with the usual authorities")
    group.add_argument("--ca", type=Path, metavar="PEM", default=default(None), help="TLS, trusting these authorities")
    group.add_argument("--cert", type=Path, metavar="PEM", default=default(None), help="own certificate, for mutual TLS")
    group.add_argument("--key", type=Path, metavar="PEM", default=default(None), help="its private key")
    group.add_argument("--json", action="store_true", default=default(False), help="machine-readable output")
    group.add_argument("--quiet", "-q", action="store_true", default=default(False), help="no progress, no notes")


@asynccontextmanager
async def connected(arguments: argparse.Namespace) -> AsyncIterator[Client]:
    """A client of the server that the arguments name, which has answered once.

    Raises:
        UsageError: certificates that do not fit together, or a token that would go out in the clear.
        Unavailable: nobody answers.
    """
    try:
        tls = None
        if arguments.tls or arguments.ca or arguments.cert or arguments.key:
            tls = TlsFiles(ca=arguments.ca, certificate=arguments.cert, key=arguments.key)
        async with Client(arguments.server, token=arguments.token, tls=tls, retry=_PROBE) as probe:
            await probe.info()
    except ValueError as error:
        raise UsageError(str(error)) from error
    async with Client(arguments.server, token=arguments.token, tls=tls) as client:
        yield client


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """Read `k=v` arguments.

    Raises:
        UsageError: one has no "=".
    """
    found: dict[str, str] = {}
    for each in given:
        key, separator, value = each.partition("=")
        if not separator or not key:
            raise UsageError(f"{option} {each!r}: expected KEY=VALUE")
        found[key] = value
    return found


def add_selection(parser: argparse.ArgumentParser, verb: str) -> None:
    """`IDS…`, `--ids a,b` and `--batch ID`: which jobs a command is about."""
    parser.add_argument("job_ids", nargs="*", metavar="JOB_ID", help=f"jobs to {verb}")
    parser.add_argument("--ids", default="", metavar="A,B,C", help="the same, separated by commas")
    parser.add_argument("--batch", default="", metavar="BATCH_ID", help=f"{verb} all jobs of a batch")


def selection(arguments: argparse.Namespace) -> str | list[str]:
    """What `add_selection` read: the id of a batch, or ids of jobs.

    Raises:
        UsageError: neither, or both.
    """
    job_ids = [*arguments.job_ids, *(each.strip() for each in arguments.ids.split(",") if each.strip())]
    if bool(job_ids) == bool(arguments.batch):
        raise UsageError("name jobs by their ids, or one batch with --batch")
    batch: str = arguments.batch
    return batch or job_ids
