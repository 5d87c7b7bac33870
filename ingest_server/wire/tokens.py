"""Resume tokens and page tokens: positions that clients carry without looking inside.

A token is base64url of: one byte for version and kind, twelve bytes that name what it belongs to, and a number. It holds no
secret and grants nothing: the tenant of the caller selects what can be read, whatever the token says. The twelve bytes are a
digest of tenant and selection; they catch tokens used with another selection, and most that are made up or damaged.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from enum import IntEnum

from ingest_server.domain.errors import Reason
from ingest_server.handlers.protobuf_bytes import varint
from ingest_server.store.records import JobQuery
from ingest_server.wire.faults import invalid

_VERSION = 1
_DIGEST_BYTES = 12
_NUMBER_BITS_MAX = 63
_TOKEN_CHARACTERS_MAX = 256
"""job_service.proto, WatchJobsResponse.resume_token."""


class TokenKind(IntEnum):
    """What a token's number is."""

    RESUME = 1
    """A position of the event log."""
    RESTART = 2
    """Nothing: the stream had not told its whole snapshot, so it has to begin anew."""
    LIST = 3
    FETCH = 4
    CANCEL = 5
    RETRY = 6
    DELETE = 7
    DELIVERIES = 8
    """Where the next page begins."""


def selection_digest(query: JobQuery) -> bytes:
    """Name a selection of jobs. The order in which its parts were given does not matter."""
    parts: list[Iterable[str] | Iterable[bytes] | None] = [
        (query.tenant,),
        None if query.job_ids is None else sorted(set(query.job_ids)),
        (query.batch_id,),
        (str(int(state)) for state in sorted(query.states)),
        sorted(query.queues),
        (text for pair in sorted(query.labels) for text in pair),
        (str(query.create_from_us), str(query.create_before_us)),
    ]
    if query.part_of:
        parts.append((query.part_of,))
    return _digest(parts)


def items_digest(tenant: str, job_ids: Iterable[bytes] | None, batch_id: bytes) -> bytes:
    """Name the jobs of a call that pages through them in the order given."""
    return _digest([(tenant,), job_ids, (batch_id,)])


def encode_token(kind: TokenKind, digest: bytes, number: int = 0) -> str:
    """Make a token; at most 40 characters."""
    data = bytes((_VERSION << 4 | kind,)) + digest + varint(number)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def encode_page_token(kind: TokenKind, digest: bytes, number: int) -> str:
    """Make the token of the next page; "" for 0: there is none."""
    return encode_token(kind, digest, number) if number else ""


def decode_page_token(kind: TokenKind, token: str, digest: bytes) -> int:
    """Where the page begins; 0 for "". Raises InvalidRequest (PAGE_TOKEN_INVALID)."""
    if not token:
        return 0
    found = _decode(token)
    if found is None or found[0] != kind:
        raise invalid("page_token", "was not made by this RPC; begin again without it", Reason.PAGE_TOKEN_INVALID)
    if found[1] != digest:
        raise invalid("page_token", "was made for another request; begin again without it", Reason.PAGE_TOKEN_INVALID)
    return found[2]


def decode_resume_token(token: str, digest: bytes) -> int | None:
    """The position to go on from; None to begin with a snapshot, for "" too. Raises InvalidRequest (RESUME_TOKEN_INVALID)."""
    if not token:
        return None
    found = _decode(token)
    if found is None or found[0] not in (TokenKind.RESUME, TokenKind.RESTART):
        raise invalid("resume_token", "was not made by this RPC; watch anew without it", Reason.RESUME_TOKEN_INVALID)
    if found[1] != digest:
        raise invalid("resume_token", "was made for another selection; watch anew without it", Reason.RESUME_TOKEN_INVALID)
    return found[2] if found[0] == TokenKind.RESUME else None


def _decode(token: str) -> tuple[int, bytes, int] | None:
    """(kind, digest, number), or None for what no version made."""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    number = _decode_varint(data[1 + _DIGEST_BYTES :])
    if number is None or data[0] >> 4 != _VERSION:
        return None
    return data[0] & 0x0F, data[1 : 1 + _DIGEST_BYTES], number


def _decode_varint(data: bytes) -> int | None:
    """The number, if `data` is its one shortest encoding."""
    number = 0
    for index, byte in enumerate(data[:10]):
        number |= (byte & 0x7F) << 7 * index
    return number if number >> _NUMBER_BITS_MAX == 0 and varint(number) == data else None


def _digest(parts: Iterable[Iterable[str] | Iterable[bytes] | None]) -> bytes:
    """Digest lists of texts; each text behind its length and each list behind a mark, so that no two inputs look alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"-" if part is None else b"[")
        for text in part or ():
            data = text.encode("utf-8") if isinstance(text, str) else text
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.digest()[:_DIGEST_BYTES]
