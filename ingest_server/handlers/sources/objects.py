"""Objects of S3 as sources: what its client raises, told as the failures of sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from ingest_server.domain.s3_address import S3Address
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.s3.errors import S3Error
from ingest_server.handlers.sources.failures import forbidden, not_found, too_large, unavailable, unusable
from ingest_server.handlers.sources.names import cleaned, media_type_in


class Writer(Protocol):
    """What takes bytes."""

    def write(self, piece: bytes, /) -> int:
        """Take all of the next bytes."""
        ...


def object_name(address: S3Address) -> str:
    """The name of an object: the last step of its key."""
    return cleaned(address.key)


def fetch_object(client: S3Client, address: S3Address, into: Writer, bytes_max: int, check: Callable[[], object]) -> str:
    """Write an object's bytes to `into`.

    Args:
        client: of the service.
        address: of the object.
        into: what writing raises is raised.
        bytes_max: largest object that is taken.
        check: called between pieces.

    Returns:
        The media type that the service tells; "" if none.

    Raises:
        HandlerFailure: SOURCE_…, by what the service says.
    """

    def checked() -> None:
        check()

    try:
        return media_type_in(client.get(address, cast(Any, into), bytes_max=bytes_max, check=checked).media_type)
    except S3Error as error:
        raise _told(address, error, bytes_max) from error


def _told(address: S3Address, error: S3Error, bytes_max: int) -> HandlerFailure:
    if error.code == "TooLarge":
        return too_large(str(address), None, bytes_max)
    told = {"http_status": str(error.status)} if error.status else {}
    if error.status == 404:
        return not_found(error.message, **told)
    if error.status in (401, 403):
        return forbidden(error.message, **told)
    return unavailable(error.message, **told) if error.retryable else unusable(error.message, **told)
