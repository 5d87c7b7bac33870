"""Cancel, retry and delete, cut into calls of as many ids as the server takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from ingest.v1 import job_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._convert import action_from_proto
from ingest_client._methods import Method
from ingest_client.models import ActionResult, Limits

RequestT = TypeVar("RequestT")


class _Answer(Protocol):
    @property
    def results(self) -> Sequence[job_service_pb2.JobActionResult]: ...

    @property
    def next_page_token(self) -> str: ...


AnswerT = TypeVar("AnswerT", bound=_Answer)


class Actions:
    """Steers jobs. Used from one event loop."""

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self._channel = channel
        self._items_max = limits.fetch_items_max

    async def cancel(self, job_ids: Sequence[str], batch_id: str, reason: str) -> tuple[ActionResult, ...]:
        """Ask jobs to end."""

        def request(ids: Sequence[str], token: str) -> job_service_pb2.CancelJobsRequest:
            return job_service_pb2.CancelJobsRequest(job_ids=ids, batch_id=batch_id, reason=reason, page_token=token)

        return await self._each(_methods.CANCEL_JOBS, request, job_ids, batch_id)

    async def retry(self, job_ids: Sequence[str], batch_id: str) -> tuple[ActionResult, ...]:
        """Run jobs again; each call has its own request_id, so that a repeat makes no second copy."""

        def request(ids: Sequence[str], token: str) -> job_service_pb2.RetryJobsRequest:
            return job_service_pb2.RetryJobsRequest(
                job_ids=ids, batch_id=batch_id, request_id=str(uuid.uuid4()), page_token=token
            )

        return await self._each(_methods.RETRY_JOBS, request, job_ids, batch_id)

    async def delete(self, job_ids: Sequence[str], batch_id: str) -> tuple[ActionResult, ...]:
        """Forget jobs."""

        def request(ids: Sequence[str], token: str) -> job_service_pb2.DeleteJobsRequest:
            return job_service_pb2.DeleteJobsRequest(job_ids=ids, batch_id=batch_id, page_token=token)

        return await self._each(_methods.DELETE_JOBS, request, job_ids, batch_id)

    async def _each(
        self,
        method: Method[RequestT, AnswerT],
        request: Callable[[Sequence[str], str], RequestT],
        job_ids: Sequence[str],
        batch_id: str,
    ) -> tuple[ActionResult, ...]:
        """All windows of ids, or all pages of a batch."""
        if not job_ids and not batch_id:
            return ()
        results: list[ActionResult] = []
        size = self._items_max
        for ids in [job_ids[start : start + size] for start in range(0, len(job_ids), size)] or [()]:
            token = ""
            while True:
                answer = await self._channel.unary(method, request(ids, token))
                results += [action_from_proto(each) for each in answer.results]
                token = answer.next_page_token
                if not token:
                    break
        return tuple(results)
