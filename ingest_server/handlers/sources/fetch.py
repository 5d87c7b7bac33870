"""Fetches an input by reference into a temporary file: opens the source by its scheme, and copies it within the limits."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.destination import Endpoint
from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.s3_address import S3Address
from ingest_server.domain.source_rules import FileLocation
from ingest_server.handlers.inputs import TemporaryInput, temporary_file
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.operator import operator_settings
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.s3.service import service_of
from ingest_server.handlers.sources.addresses import Resolver, system_resolver
from ingest_server.handlers.sources.connection import Connector
from ingest_server.handlers.sources.failures import forbidden, shown, too_large
from ingest_server.handlers.sources.files import open_file
from ingest_server.handlers.sources.limits import SourceLimits
from ingest_server.handlers.sources.objects import fetch_object, object_name
from ingest_server.handlers.sources.opened import OpenedSource
from ingest_server.handlers.sources.watch import Watch
from ingest_server.handlers.sources.web import open_url

PIECE_BYTES = 256 * 1024
"""Copied between two looks at limits and cancel flag; a millisecond or less from a disk."""
ROOM_BYTES = 16 * 1024 * 1024
"""Written between two looks at the free space: what all workers together write meanwhile is little beside what must stay free."""
PROGRESS_BYTES_MIN = 1024 * 1024
"""What is smaller is there before anybody could look; each report is a message to the server."""


class Fetcher:
    """Fetches inputs. May be used from several threads.

    Args:
        limits: rules and bounds.
        resolver: from names to addresses.
        tls: makes the context for https; by default the system's authorities, names checked.
        objects: makes the client of S3; by default that of the operator's settings.
        clock: for the time a fetch has.

    Raises:
        ValueError: an entry of the rules cannot be understood.
    """

    def __init__(
        self,
        limits: SourceLimits,
        *,
        resolver: Resolver = system_resolver,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        objects: Callable[[], S3Client] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._limits = limits
        self._rules = limits.rules()
        self._connector = Connector(self._rules.destinations, limits.connect_seconds, resolver, tls)
        self._objects = objects or _s3_client
        self._clock = clock or SystemClock()

    def fetch(self, uri: str, context: Context, *, media_type: str, name: str, metadata: Mapping[str, str]) -> TemporaryInput:
        """Fetch an input.

        Args:
            uri: as the job gives it; it was allowed when the job was accepted, and is looked at again.
            context: of the attempt: its cancel flag, and where progress is told, in bytes.
            media_type, name, metadata: as the job gives them; where it gives no type or name, the source's are taken.

        Returns:
            The input, in a temporary file that goes when it is closed.

        Raises:
            HandlerFailure: SOURCE_… by what went wrong; STORAGE_FULL, retryable, if the file could not be written.
            Cancelled: the attempt was asked to stop.
        """
        watch = Watch(uri, self._limits.seconds_max, context, self._clock.monotonic)
        try:
            place = self._rules.check(uri)
        except ValueError as error:
            raise forbidden(f"{shown(uri)} {error}") from None
        if isinstance(place, S3Address):
            named = name or object_name(place)
            with _new_file(uri, named) as file:
                copy = _Copy(uri, file, None, self._limits, context, watch)
                told = fetch_object(self._objects(), place, copy, self._limits.bytes_max, watch.remaining_seconds)
                return TemporaryInput(file, copy.finish(), media_type or told, named, metadata)
        with self._opened(uri, place, watch) as source:
            if source.size_bytes is not None and source.size_bytes > self._limits.bytes_max:
                raise too_large(uri, source.size_bytes, self._limits.bytes_max)
            named = name or source.name
            with _new_file(uri, named) as file:
                copy = _Copy(uri, file, source.size_bytes, self._limits, context, watch)
                window = memoryview(bytearray(PIECE_BYTES))
                while count := source.read_into(window):
                    copy.write(window[:count])
                return TemporaryInput(file, copy.finish(), media_type or source.media_type, named, metadata)

    def _opened(self, uri: str, place: FileLocation | Endpoint, watch: Watch) -> AbstractContextManager[OpenedSource]:
        if isinstance(place, FileLocation):
            return open_file(uri, place.path, self._rules.roots)
        return open_url(place, self._rules.destinations, self._connector, self._limits.redirects_max, watch)


class _Copy:
    """A temporary file being filled. A piece is written before the next is asked for, so memory holds one.

    Args:
        total_bytes: that will come; None: nobody knows.
    """

    def __init__(
        self, uri: str, file: Any, total_bytes: int | None, limits: SourceLimits, context: Context, watch: Watch
    ) -> None:
        self._uri = uri
        self._file = file
        self._total_bytes = total_bytes or 0
        self._limits = limits
        self._context = context
        self._watch = watch
        self._size_bytes = 0
        self._room_until_bytes = 0
        self._check_room(self._total_bytes)

    def write(self, piece: bytes | memoryview) -> int:
        """Take the next bytes. Raises HandlerFailure if they are too many for the limits or the disk, or the time is over."""
        self._watch.remaining_seconds()
        self._size_bytes += len(piece)
        if self._size_bytes > self._limits.bytes_max:
            raise too_large(self._uri, None, self._limits.bytes_max)
        if self._size_bytes > self._room_until_bytes:
            self._check_room(len(piece))
        try:
            self._file.write(piece)
        except OSError as error:
            raise _not_written(self._uri, error) from error
        if self._size_bytes >= PROGRESS_BYTES_MIN:
            self._context.progress(self._size_bytes, self._total_bytes, "byte", "fetching the input")
        return len(piece)

    def _check_room(self, more_bytes: int) -> None:
        """Raise unless so many more bytes leave the disk, which the store shares, the space that it needs."""
        found = os.statvfs(self._file.fileno())
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < self._limits.free_bytes_min + more_bytes:
            raise _no_room(
                f"{shown(self._uri)}: {more_bytes:,} more bytes would leave less than {self._limits.free_bytes_min:,} of "
                f"{free_bytes:,} bytes free (disk_free_bytes_min)"
            )
        self._room_until_bytes = self._size_bytes + ROOM_BYTES

    def finish(self) -> int:
        """All have come: answers how many."""
        try:
            self._file.flush()
        except OSError as error:
            raise _not_written(self._uri, error) from error
        return self._size_bytes


@contextmanager
def _new_file(uri: str, name: str) -> Iterator[Any]:
    """A temporary file, which goes if what is done with it fails."""
    try:
        file = temporary_file("source-", name)
    except OSError as error:
        raise _not_written(uri, error) from error
    try:
        yield file
    except BaseException:
        with suppress(OSError):  # a full disk would have its say a second time, in place of what happened
            file.close()
        raise


def _s3_client() -> S3Client:
    settings = operator_settings()
    return S3Client(service_of(settings, os.environ), idle_seconds=settings.s3_idle_seconds)


def _not_written(uri: str, error: OSError) -> HandlerFailure:
    return _no_room(f"{shown(uri)} could not be written to a temporary file: {error.strerror}")


def _no_room(message: str) -> HandlerFailure:
    return HandlerFailure(
        f"{message}. Make room on the server's disk.",
        reason=Reason.STORAGE_FULL,
        code=Code.RESOURCE_EXHAUSTED,
        retryable=True,
    )
