"""What a client is made of, put together: what a channel alone can do, and what needs to know the server's limits."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_client._actions import Actions
from ingest_client._blobs import Blobs
from ingest_client._channel import Channel
from ingest_client._coalesce import Coalescer, CoalesceSettings
from ingest_client._results import Results
from ingest_client._submit import Submitter
from ingest_client._watch import WatchSettings
from ingest_client.models import Limits


@dataclass(frozen=True, slots=True)
class Opened:
    """Parts that work without limits."""

    channel: Channel
    blobs: Blobs


class Parts:
    """Parts that cut their calls to the server's limits."""

    def __init__(
        self, opened: Opened, limits: Limits, watch: WatchSettings, coalesce: CoalesceSettings, submit_calls_max: int
    ) -> None:
        self.limits = limits
        self.submitter = Submitter(opened.channel, opened.blobs, limits, submit_calls_max)
        self.results = Results(opened.channel, opened.blobs, limits, watch)
        self.actions = Actions(opened.channel, limits)
        self.coalescer = Coalescer(opened.channel, opened.blobs, limits, watch, coalesce)
