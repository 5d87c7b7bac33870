"""What may be fetched, and how much of it for how long: in one frozen object that travels to the workers."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain.source_rules import SourceRules

GIB = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """Rules and bounds of inputs by reference; each is the setting `source_…` of that name, but one.

    Attributes:
        roots: folders below which files may be read.
        hosts: which hosts may be asked.
        networks: that may be connected to although they are not of the public internet.
        buckets: of S3, or prefixes of their objects, that may be read.
        bytes_max: largest input.
        seconds_max: for all of a fetch: DNS, connections, redirects, the bytes.
        connect_seconds: to one address: connection and TLS.
        redirects_max: followed.
        free_bytes_min: of the disk; nothing is fetched that would leave less (setting `disk_free_bytes_min`).
    """

    roots: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    bytes_max: int = GIB
    seconds_max: float = 300.0
    connect_seconds: float = 10.0
    redirects_max: int = 5
    free_bytes_min: int = 0

    def rules(self) -> SourceRules:
        """The rules. Raises ValueError if an entry cannot be understood."""
        return SourceRules(self.roots, self.hosts, self.networks, self.buckets)
