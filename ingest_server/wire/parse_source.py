"""Inputs by reference in: whether this server fetches from there, checked when a job is handed in."""

from __future__ import annotations

from ingest_server.domain.source_rules import SchemeNotOffered, SourceRules
from ingest_server.wire.faults import Faults, shown


def check_uri(faults: Faults, uri: str, rules: SourceRules) -> None:
    """Note every rule of job.proto and of this server that the URI of an input breaks."""
    try:
        rules.check(uri)
    except SchemeNotOffered as error:
        faults.add_unsupported("input.uri", f"input by URI of the scheme {error.scheme!r}")
    except ValueError as error:
        faults.add("input.uri", f"{error}; given: {shown(uri)}")
