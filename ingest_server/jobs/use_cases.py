"""All use cases together: what the wire layer is given."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.jobs.blobs import Blobs
from ingest_server.jobs.cancel import CancelJobs
from ingest_server.jobs.delete import DeleteJobs
from ingest_server.jobs.deliveries import Deliveries
from ingest_server.jobs.fetch import FetchResults
from ingest_server.jobs.list import CountJobs, GetJob, ListJobs
from ingest_server.jobs.queues import Queues
from ingest_server.jobs.retry import RetryJobs
from ingest_server.jobs.run import RunJob
from ingest_server.jobs.server import Server
from ingest_server.jobs.submit import SubmitJobs
from ingest_server.jobs.watch import WatchJobs


@dataclass(frozen=True, slots=True)
class UseCases:
    """One of each."""

    submit: SubmitJobs
    run: RunJob
    get: GetJob
    list: ListJobs
    count: CountJobs
    fetch: FetchResults
    watch: WatchJobs
    cancel: CancelJobs
    retry: RetryJobs
    delete: DeleteJobs
    deliveries: Deliveries
    blobs: Blobs
    queues: Queues
    server: Server
