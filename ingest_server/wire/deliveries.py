"""Deliveries between messages and rows: ListDeliveries and RedeliverCallbacks."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.v1 import delivery_pb2
from ingest.v1 import job_service_pb2 as pb
from ingest_server.domain.webhook import message_id, parse_message_id
from ingest_server.jobs.deliveries import REDELIVERIES_MAX
from ingest_server.store import delivery_log
from ingest_server.store.outbox import DeliveryPage, DeliveryRow, DeliveryStatus
from ingest_server.wire.faults import Faults, shown
from ingest_server.wire.field_rules import raise_if_any
from ingest_server.wire.parse_filter import limit_ids
from ingest_server.wire.times import to_duration, to_timestamp
from ingest_server.wire.tokens import TokenKind, encode_page_token

PAGE_SIZE, PAGE_SIZE_MAX = 50, 100
"""job_service.proto, ListDeliveriesRequest.page_size."""

_STATES = {
    DeliveryStatus.WAITING: delivery_pb2.DELIVERY_STATE_WAITING,
    DeliveryStatus.PENDING: delivery_pb2.DELIVERY_STATE_PENDING,
    DeliveryStatus.DELIVERED: delivery_pb2.DELIVERY_STATE_DELIVERED,
    DeliveryStatus.FAILED: delivery_pb2.DELIVERY_STATE_FAILED,
    DeliveryStatus.GONE: delivery_pb2.DELIVERY_STATE_GONE,
}


def list_response(page: DeliveryPage, digest: bytes, bytes_max: int) -> pb.ListDeliveriesResponse:
    """As many rows of the page as fit `bytes_max`, the first always, and the token of the next."""
    response = pb.ListDeliveriesResponse()
    next_number, size = page.next_number, 0
    for row in page.rows:
        message = _delivery(row)
        size += message.ByteSize()
        if size > bytes_max and response.deliveries:
            next_number = row.number
            break
        response.deliveries.append(message)
    response.next_page_token = encode_page_token(TokenKind.DELIVERIES, digest, next_number)
    return response


def parse_delivery_ids(texts: Sequence[str], job_id: bytes) -> list[int]:
    """Numbers of deliveries of a job. Raises InvalidRequest."""
    limit_ids("delivery_ids", len(texts), REDELIVERIES_MAX)
    faults, numbers = Faults(), []
    for index, text in enumerate(texts):
        path = f"delivery_ids[{index}]"
        try:
            owner, number = parse_message_id(text)
        except ValueError as error:
            faults.add(path, f"{error}, not {shown(text)}")
            continue
        if owner != job_id:
            faults.add(path, "is of another job")
        numbers.append(number)
    raise_if_any(faults)
    return numbers


def redeliver_response(job_id: bytes, numbers: Sequence[int]) -> pb.RedeliverCallbacksResponse:
    """What is sent again."""
    return pb.RedeliverCallbacksResponse(delivery_ids=[message_id(job_id, number) for number in numbers])


def _delivery(row: DeliveryRow) -> delivery_pb2.Delivery:
    delivery = delivery_pb2.Delivery(
        delivery_id=message_id(row.job_id, row.number),
        url=row.url,
        event=int(row.state),  # type: ignore[arg-type]  # the numbers are the same, which a test proves
        event_time=to_timestamp(row.event_us),
        state=_STATES[row.status],
    )
    for attempt in delivery_log.decode(row.log):
        delivery.attempts.add(
            start_time=to_timestamp(attempt.start_us),
            duration=to_duration(attempt.duration_us / 1_000_000),
            http_status=attempt.http_status,
            error=attempt.error,
        )
    if row.status is DeliveryStatus.PENDING:
        delivery.next_attempt_time.CopyFrom(to_timestamp(row.due_us))
    if row.end_us:
        delivery.end_time.CopyFrom(to_timestamp(row.end_us))
    return delivery
