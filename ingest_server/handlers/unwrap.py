"""Unwraps what was compressed whole: a gzip or zstd stream around a document, within limits of size, ratio and depth.

Compressed data can be far larger than it looks: deflate packs up to 1,032 zeros into a byte (https://zlib.net/zlib_tech.html),
zstd many thousands. So the stream is expanded piece by piece, and given up as soon as it breaks a limit.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.inputs import MemoryInput, TemporaryInput
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.media_type import parse
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.source import WHOLE_BYTES_MAX, Source

PIECE_BYTES = 256 * 1024
"""Expanded between two looks at the limits and the cancel flag; a millisecond or less."""
ZSTD_WINDOW_LOG_MAX = 27
"""128 MiB, the default of the zstd command; a frame may ask for 2 GiB of memory."""
ZSTD_EXTRA = "ingest[zstd]"

Opener: TypeAlias = Callable[[BinaryIO], Any]


@dataclass(frozen=True, slots=True)
class UnwrapLimits:
    """How far a wrapper is unpacked.

    Attributes:
        expanded_bytes_max: size of what was inside. Four times what a result may have.
        ratio_max: how many times the size of the file that came in. Logs and sparse scans reach 100 or 200.
        ratio_free_bytes: up to this size inside no ratio is looked at: it harms nobody.
        depth_max: wrappers around wrappers.
        memory_bytes_max: what is larger inside goes to a temporary file.
    """

    expanded_bytes_max: int = 1024 * 1024 * 1024
    ratio_max: int = 300
    ratio_free_bytes: int = 16 * 1024 * 1024
    depth_max: int = 3
    memory_bytes_max: int = WHOLE_BYTES_MAX


def usual_limits() -> UnwrapLimits:
    """Those that the operator has set."""
    limits = reader_limits()
    return UnwrapLimits(
        expanded_bytes_max=limits.read_unpacked_bytes_max,
        ratio_max=limits.read_unpacked_ratio_max,
        depth_max=limits.read_wrappers_max,
    )


class Unwrapped(NamedTuple):
    """A document without its wrappers.

    Attributes:
        source: the document itself.
        wrappers: media types of what was around it, outermost first; empty if nothing was.
    """

    source: Source
    wrappers: tuple[str, ...]


@contextmanager
def unwrapped(
    source: Source, context: Context, limits: UnwrapLimits | None = None, spend: Callable[[int], None] | None = None
) -> Iterator[Unwrapped]:
    """Take off all wrappers of a document. Without any it costs nothing.

    The type inside is decided anew: by its bytes, by the declared type if that was not the wrapper's own, and by the name without
    the wrapper's suffix. Temporary files are gone when the context is left.

    Args:
        source: what came in.
        context: of the attempt; its cancel flag is looked at every `PIECE_BYTES`.
        limits: None for the usual ones.
        spend: told of the size of every piece that comes out, in bytes; may raise.

    Raises:
        HandlerFailure: DOCUMENT_MALFORMED (damaged, empty, a bomb, or too deep) or MEDIA_TYPE_NOT_SUPPORTED (zstd without its
            library), neither retryable; STORAGE_FULL, retryable, if the temporary file could not be written.
        Cancelled: the attempt was asked to stop.
    """
    limits = limits or usual_limits()
    size_bytes = source.size_bytes
    wrappers: list[str] = []
    layer: MemoryInput | TemporaryInput | None = None
    try:
        while (wrapper := source.media_type.media_type) in WRAPPERS:
            wrappers.append(wrapper)
            if len(wrappers) > limits.depth_max:
                raise _refused(
                    f"The document is wrapped more than {limits.depth_max} times ({', '.join(wrappers)}). Unpack it first.",
                    wrappers=", ".join(wrappers),
                )
            inner = _expanded(source, wrapper, size_bytes, context, limits, spend)
            if layer is not None:
                layer.close()
            layer, source = inner, Source(inner)
        yield Unwrapped(source, tuple(wrappers))
    finally:
        if layer is not None:
            layer.close()


def _expanded(
    source: Source,
    wrapper: str,
    outermost_bytes: int,
    context: Context,
    limits: UnwrapLimits,
    spend: Callable[[int], None] | None,
) -> MemoryInput | TemporaryInput:
    """What is inside one wrapper."""
    open_stream, suffixes = WRAPPERS[wrapper]
    name = source.name
    for suffix, inside in suffixes.items():
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)] + inside
            break
    declared = "" if parse(source.declared)[0] == wrapper else source.declared
    with source.open() as packed, open_stream(packed) as stream:
        pieces = _pieces(stream, wrapper, outermost_bytes, context, limits)
        return collected(_counted(pieces, spend) if spend else pieces, declared, name, limits.memory_bytes_max)


def _counted(pieces: Iterator[bytes], spend: Callable[[int], None]) -> Iterator[bytes]:
    for piece in pieces:
        spend(len(piece))
        yield piece


def collected(pieces: Iterator[bytes], declared: str, name: str, memory_bytes_max: int) -> MemoryInput | TemporaryInput:
    """Collect pieces as an input: in memory while they are few, in a temporary file from then on.

    Args:
        pieces: the bytes, in order. What it raises goes through, and nothing is left behind.
        declared: media type of the input.
        name: of the input.
        memory_bytes_max: what is larger goes to a file.

    Returns:
        The input. The caller closes it, and with that the file is gone.

    Raises:
        HandlerFailure: STORAGE_FULL, retryable: the file could not be written.
    """
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) > memory_bytes_max:
            break
    else:
        return MemoryInput(bytes(held), declared, name)
    with ExitStack() as undo:
        try:
            file = undo.enter_context(tempfile.NamedTemporaryFile(prefix="unwrapped-"))
            size_bytes = file.write(held)
            del held
            for piece in pieces:
                size_bytes += file.write(piece)
            file.flush()
        except OSError as error:
            raise HandlerFailure(
                f"The document could not be unpacked to a temporary file: {error.strerror}. Make room on the server's disk.",
                reason=Reason.STORAGE_FULL,
                code=Code.RESOURCE_EXHAUSTED,
                retryable=True,
            ) from error
        undo.pop_all()  # from here on it is the input's
    return TemporaryInput(file, size_bytes, declared, name)


def _pieces(stream: Any, wrapper: str, outermost_bytes: int, context: Context, limits: UnwrapLimits) -> Iterator[bytes]:
    """What the stream expands to, in order, as long as it keeps within the limits."""
    size_bytes = 0
    while True:
        context.check()
        try:
            piece = stream.read(PIECE_BYTES)
        except (BadGzipFile, EOFError, zlib.error, _zstd_error()) as error:
            raise _refused(
                f"The {wrapper} wrapper is damaged after {size_bytes:,} bytes: {error}. It may have been cut off on its way; "
                "send the file anew.",
                wrapper=wrapper,
            ) from error
        if not piece:
            break
        size_bytes += len(piece)
        if size_bytes > limits.expanded_bytes_max:
            raise _refused(
                f"The {wrapper} wrapper holds more than {limits.expanded_bytes_max:,} bytes. Unpack it and send it in parts.",
                wrapper=wrapper,
                limit_bytes=str(limits.expanded_bytes_max),
            )
        if size_bytes > limits.ratio_free_bytes and size_bytes > limits.ratio_max * outermost_bytes:
            raise _refused(
                f"The {wrapper} wrapper expands to more than {limits.ratio_max} times the {outermost_bytes:,} bytes sent, as "
                "only decompression bombs do. If it is none, unpack it and send what is inside.",
                wrapper=wrapper,
                limit_ratio=str(limits.ratio_max),
            )
        yield piece
    if not size_bytes:
        raise _refused(f"The {wrapper} wrapper is empty. Send the file's content.", wrapper=wrapper)


def _open_gzip(packed: BinaryIO) -> Any:
    return GzipFile(fileobj=packed, mode="rb")


def _open_zstd(packed: BinaryIO) -> Any:
    library = _zstd_library()
    if library is None:
        raise HandlerFailure(
            f"The document is compressed by zstd, whose library is not installed on the server: pip install '{ZSTD_EXTRA}'. "
            "Or send it unpacked.",
            reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
            metadata={"media_type": "application/zstd", "install": f"pip install '{ZSTD_EXTRA}'"},
        )
    options = {library.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG_MAX}
    return library.ZstdFile(packed, "rb", options=options)


def _zstd_library() -> Any:
    """The standard library's module, from Python 3.14 on, or the same for older ones; None if neither is there."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:  # an extra; and Python may be built without it
        return None
    return zstd


def _zstd_error() -> type[Exception]:
    """What the zstd library raises."""
    library = _zstd_library()
    return BadGzipFile if library is None else library.ZstdError


WRAPPERS: dict[str, tuple[Opener, dict[str, str]]] = {
    "application/gzip": (_open_gzip, {".tgz": ".tar", ".gz": ""}),
    "application/zstd": (_open_zstd, {".tzst": ".tar", ".zst": "", ".zstd": ""}),
}
"""Media type → what opens it, and the suffixes of its names with what stands for them inside."""


def _refused(message: str, **metadata: str) -> HandlerFailure:
    return HandlerFailure(
        message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False, metadata=metadata
    )
