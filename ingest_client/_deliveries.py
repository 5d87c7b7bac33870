"""Deliveries of callbacks: list them page by page, send them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from ingest.v1 import delivery_pb2, job_service_pb2
from ingest_client import _methods
from ingest_client._channel import Channel
from ingest_client._convert import seconds_from_proto, state_from_proto, time_from_proto
from ingest_client.delivery import Delivery, DeliveryAttempt, DeliveryState

_STATES = {int(state): state for state in DeliveryState}


class Deliveries:
    """Deliveries of one server's jobs."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def list(self, job_id: str, *, page_size: int = 0) -> AsyncGenerator[Delivery, None]:
        """Deliveries of a job in the order of its changes, pages fetched as they are drawn. Raises NotFound."""
        request = job_service_pb2.ListDeliveriesRequest(job_id=job_id, page_size=page_size)
        while True:
            response = await self._channel.unary(_methods.LIST_DELIVERIES, request)
            for each in response.deliveries:
                yield _delivery_from_proto(each)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    async def redeliver(self, job_id: str, delivery_ids: Sequence[str] = ()) -> tuple[str, ...]:
        """Send deliveries again that have ended, with the same id and body.

        Args:
            job_id: whose.
            delivery_ids: which, at most 100; none for all that failed (100 in one call).

        Returns:
            Ids of those that are sent again.

        Raises:
            NotFound: no such job.
        """
        request = job_service_pb2.RedeliverCallbacksRequest(job_id=job_id, delivery_ids=delivery_ids)
        return tuple((await self._channel.unary(_methods.REDELIVER_CALLBACKS, request)).delivery_ids)


def _delivery_from_proto(message: delivery_pb2.Delivery) -> Delivery:
    """Field by field; what is unset is None."""
    return Delivery(
        delivery_id=message.delivery_id,
        url=message.url,
        event=state_from_proto(message.event),
        event_time=time_from_proto(message.event_time),
        state=_STATES.get(message.state, DeliveryState.UNSPECIFIED),
        attempts=tuple(
            DeliveryAttempt(time_from_proto(each.start_time), seconds_from_proto(each.duration), each.http_status, each.error)
            for each in message.attempts
        ),
        next_attempt_time=time_from_proto(message.next_attempt_time) if message.HasField("next_attempt_time") else None,
        end_time=time_from_proto(message.end_time) if message.HasField("end_time") else None,
    )
