"""The RPCs of `ingest.v1` by name, each with the types it takes and gives.

Written out rather than taken from the generated stubs, because those are untyped and always serialize: SubmitJobs is sent as
bytes that were put together from cached parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ingest.v1 import blob_service_pb2 as blobs
from ingest.v1 import job_service_pb2 as jobs
from ingest.v1 import queue_service_pb2 as queues
from ingest.v1 import server_service_pb2 as server

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True, eq=False)
class Method(Generic[RequestT, ResponseT]):
    """One RPC.

    Attributes:
        path: as gRPC names it.
        serializer: request to bytes; None where the caller brings bytes.
        deserializer: bytes to response.
    """

    path: str
    serializer: Callable[[RequestT], bytes] | None
    deserializer: Callable[[bytes], ResponseT]


_JOBS = "/ingest.v1.JobService/"
_BLOBS = "/ingest.v1.BlobService/"
_QUEUES = "/ingest.v1.QueueService/"
_SERVER = "/ingest.v1.ServerService/"

SUBMIT_JOBS: Method[bytes, jobs.SubmitJobsResponse] = Method(f"{_JOBS}SubmitJobs", None, jobs.SubmitJobsResponse.FromString)
GET_JOB = Method(f"{_JOBS}GetJob", jobs.GetJobRequest.SerializeToString, jobs.GetJobResponse.FromString)
LIST_JOBS = Method(f"{_JOBS}ListJobs", jobs.ListJobsRequest.SerializeToString, jobs.ListJobsResponse.FromString)
COUNT_JOBS = Method(f"{_JOBS}CountJobs", jobs.CountJobsRequest.SerializeToString, jobs.CountJobsResponse.FromString)
FETCH_RESULTS = Method(f"{_JOBS}FetchResults", jobs.FetchResultsRequest.SerializeToString, jobs.FetchResultsResponse.FromString)
WATCH_JOBS: Method[jobs.WatchJobsRequest, jobs.WatchJobsResponse] = Method(
    f"{_JOBS}WatchJobs", jobs.WatchJobsRequest.SerializeToString, jobs.WatchJobsResponse.FromString
)
CANCEL_JOBS = Method(f"{_JOBS}CancelJobs", jobs.CancelJobsRequest.SerializeToString, jobs.CancelJobsResponse.FromString)
RETRY_JOBS = Method(f"{_JOBS}RetryJobs", jobs.RetryJobsRequest.SerializeToString, jobs.RetryJobsResponse.FromString)
DELETE_JOBS = Method(f"{_JOBS}DeleteJobs", jobs.DeleteJobsRequest.SerializeToString, jobs.DeleteJobsResponse.FromString)

LIST_DELIVERIES = Method(
    f"{_JOBS}ListDeliveries", jobs.ListDeliveriesRequest.SerializeToString, jobs.ListDeliveriesResponse.FromString
)
REDELIVER_CALLBACKS = Method(
    f"{_JOBS}RedeliverCallbacks", jobs.RedeliverCallbacksRequest.SerializeToString, jobs.RedeliverCallbacksResponse.FromString
)

FIND_MISSING_BLOBS = Method(
    f"{_BLOBS}FindMissingBlobs", blobs.FindMissingBlobsRequest.SerializeToString, blobs.FindMissingBlobsResponse.FromString
)
UPLOAD_BLOB = Method(f"{_BLOBS}UploadBlob", blobs.UploadBlobRequest.SerializeToString, blobs.UploadBlobResponse.FromString)
DOWNLOAD_BLOB = Method(
    f"{_BLOBS}DownloadBlob", blobs.DownloadBlobRequest.SerializeToString, blobs.DownloadBlobResponse.FromString
)
GET_BLOB = Method(f"{_BLOBS}GetBlob", blobs.GetBlobRequest.SerializeToString, blobs.GetBlobResponse.FromString)

LIST_QUEUES = Method(f"{_QUEUES}ListQueues", queues.ListQueuesRequest.SerializeToString, queues.ListQueuesResponse.FromString)
UPDATE_QUEUE = Method(f"{_QUEUES}UpdateQueue", queues.UpdateQueueRequest.SerializeToString, queues.UpdateQueueResponse.FromString)
PAUSE_QUEUE = Method(f"{_QUEUES}PauseQueue", queues.PauseQueueRequest.SerializeToString, queues.PauseQueueResponse.FromString)
RESUME_QUEUE = Method(f"{_QUEUES}ResumeQueue", queues.ResumeQueueRequest.SerializeToString, queues.ResumeQueueResponse.FromString)
PURGE_QUEUE = Method(f"{_QUEUES}PurgeQueue", queues.PurgeQueueRequest.SerializeToString, queues.PurgeQueueResponse.FromString)

GET_SERVER_INFO = Method(
    f"{_SERVER}GetServerInfo", server.GetServerInfoRequest.SerializeToString, server.GetServerInfoResponse.FromString
)
GET_STATS = Method(f"{_SERVER}GetStats", server.GetStatsRequest.SerializeToString, server.GetStatsResponse.FromString)
