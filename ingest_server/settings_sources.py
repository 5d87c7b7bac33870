"""The sources of the server's settings: its command line, its environment, its TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest_server.configuration.sources import Field, Invocation, Program, Sources
from ingest_server.settings import Settings

SOURCES = Sources(
    Settings,
    Program(
        name="ingest-server",
        usage="ingest-server [--listen HOST:PORT] [--data-dir DIR] [--workers N] [--handlers MODULE] [other flags]",
        description="Runs documents and Python callables as durable jobs, over gRPC and, with --rest-listen, over HTTP.",
        variable_prefix="INGEST_",
    ),
)
FIELDS: Mapping[str, Field] = SOURCES.fields


def load_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Invocation[Settings]:
    """Read flags, environment and file: see `Sources.load`."""
    return SOURCES.load(arguments, environment)


def parser_flags() -> list[str]:
    """All flags of the command line."""
    return SOURCES.flags


def to_toml(settings: Settings) -> str:
    """Print settings: see `Sources.to_toml`."""
    return SOURCES.to_toml(settings)
