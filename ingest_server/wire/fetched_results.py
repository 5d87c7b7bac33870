"""FetchResultsResponse out: outputs are spliced in as the bytes the store gave, never parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_server.domain.errors import FieldViolation, InvalidRequest, NotFound
from ingest_server.domain.job import JobState
from ingest_server.jobs.fetch import FetchPage
from ingest_server.store.records import JobRow
from ingest_server.wire.encoding import bytes_field, text_field, varint_field
from ingest_server.wire.faults import shown
from ingest_server.wire.field_rules import UUID_RULE
from ingest_server.wire.status import status_of_error, status_of_failure
from ingest_server.wire.uuid_text import format_uuid, parse_uuid

# Field numbers of FetchResultsResponse and FetchedResult.
_RESULTS, _NEXT_PAGE_TOKEN = 1, 2
_JOB_ID, _STATE, _OUTPUT, _ERROR = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class AskedIds:
    """Ids of a fetch, bad ones included: they are answered in their place.

    Attributes:
        texts: as in the request.
        good: the readable ones, in order.
        places: index in `texts` of each of `good`.
    """

    texts: Sequence[str]
    good: Sequence[bytes]
    places: Sequence[int]


def read_ids(texts: Sequence[str]) -> AskedIds:
    """Tell good ids from bad ones."""
    good: list[bytes] = []
    places: list[int] = []
    for place, text in enumerate(texts):
        try:
            good.append(parse_uuid(text))
            places.append(place)
        except ValueError:
            continue
    return AskedIds(texts, good, places)


def encode_results(page: FetchPage, asked: AskedIds | None, offset: int, bytes_max: int) -> tuple[list[bytes], int]:
    """Serialize the results of a page, each as a field of the response.

    Args:
        page: rows from `offset` on.
        asked: the ids of the request; None for a batch.
        offset: where the page began: index into `asked.good`, or the row number for a batch.
        bytes_max: the page is cut before it exceeds this; the first row always fits.

    Returns:
        The fields, and the offset of the next page; 0 when there is none.
    """
    fields: list[bytes] = []
    size = 0
    next_offset = page.next_offset
    for done, (job_id, row) in enumerate(page.rows):
        result = bytes_field(_RESULTS, encode_result(job_id, row))
        size += len(result)
        if done and size > bytes_max:
            next_offset = offset + done if asked else row.seq if row else next_offset
            break
        fields.append(result)
    if asked is not None:
        fields = _with_bad_ids(fields, asked, offset, last=next_offset == 0)
    return fields, next_offset


def _with_bad_ids(fields: list[bytes], asked: AskedIds, offset: int, *, last: bool) -> list[bytes]:
    """Put the answers to ids that are no UUIDs into their places among those of a page."""
    if len(asked.places) == len(asked.texts):
        return fields
    first_place = asked.places[offset] if offset else 0
    end = len(asked.texts) if last else asked.places[offset + len(fields)]
    by_place = dict(zip(asked.places[offset:], fields, strict=False))
    return [by_place.get(place) or _bad_id(place, asked.texts[place]) for place in range(first_place, end)]


def encode_page(fields: Sequence[bytes], next_page_token: str) -> bytes:
    """Serialize the response."""
    return b"".join(fields) + text_field(_NEXT_PAGE_TOKEN, next_page_token)


def encode_result(job_id: bytes, row: JobRow | None) -> bytes:
    """Serialize one FetchedResult. `row` None: the job is unknown."""
    text = format_uuid(job_id)
    if row is None:
        error = NotFound(f"job {text}: no such job; it never was, was deleted, or its retention ended", metadata={"job_id": text})
        return text_field(_JOB_ID, text) + bytes_field(_ERROR, status_of_error(error).SerializeToString())
    result = text_field(_JOB_ID, text) + varint_field(_STATE, row.state)
    if row.state is JobState.SUCCEEDED:
        result += bytes_field(_OUTPUT, row.output)
    elif row.state.terminal:
        result += bytes_field(_ERROR, status_of_failure(row.failure).SerializeToString())
    return result


def _bad_id(place: int, text: str) -> bytes:
    description = f"{UUID_RULE}, not {shown(text)}"
    error = InvalidRequest(description, violations=(FieldViolation(f"job_ids[{place}]", description),))
    status = status_of_error(error).SerializeToString()
    # As asked, so the caller finds it again, but no more of it than any id could have.
    return bytes_field(_RESULTS, text_field(_JOB_ID, text[:255]) + bytes_field(_ERROR, status))
