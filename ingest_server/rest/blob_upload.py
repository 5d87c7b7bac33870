"""A request to an RPC that takes bytes, its body the bytes themselves or a form with a file; streamed, never whole in memory.

The RPC wants the digest first. A client that knows it says so, in one of

    PUT /v1/blobs?sha256=<64 hexadecimal digits>
    Content-Digest: sha-256=:<base64>:          (RFC 9530; of a raw body; Repr-Digest says the same there)
    a form field sha256 before the file

and its bytes go straight on. From one that does not, they are kept in a temporary file until all have come and their digest is
known. `?offset_bytes=` continues an upload that broke off; the digest must be told then. Other query parameters are ignored, as
wherever a rule says that the body is the whole request.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import Message

from ingest_server.rest.errors import RestError, from_rpc, invalid, rest_error
from ingest_server.rest.exchange import JSON, Exchange
from ingest_server.rest.form_file import FormFile, boundary_of
from ingest_server.rest.metadata import response_headers
from ingest_server.rest.query import read_pairs
from ingest_server.rest.routes import Route
from ingest_server.rest.spool import Spools
from ingest_server.rest.transcode import write_response
from ingest_server.rest.upstream_writes import early_end, end_messages, send_message

PIECE_BYTES_MIN = 64 * 1024
PIECE_BYTES_MAX = 1024 * 1024
"""Smaller pieces cost a message each, larger ones memory: the bounds that blob_service.proto recommends."""
FORM = "multipart/form-data"
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]*):")


def brings_bytes(exchange: Exchange) -> bool:
    """Whether the body is the bytes themselves. JSON is messages, unless the address tells the digest of the body."""
    kind = exchange.header(b"content-type").partition(";")[0].strip().lower()
    is_json = kind in ("application/json", "application/x-ndjson") or kind.endswith("+json")
    return not is_json or "sha256" in _query(exchange)


class Upload:
    """One upload.

    Args:
        exchange: the HTTP request.
        route: of an RPC that takes bytes.
        spools: for bytes whose digest is not told.
    """

    def __init__(self, exchange: Exchange, route: Route, spools: Spools) -> None:
        self._exchange = exchange
        self._route = route
        self._spools = spools

    async def receive(self) -> None:
        """Take the bytes, pass them on, answer.

        Raises:
            RestError: the request is wrong, or the server refused it.
            ClientGone: the body did not come to its end; what the server got it keeps for a while.
        """
        exchange = self._exchange
        coding = exchange.header(b"content-encoding").strip().lower()
        if coding not in ("", "identity"):
            message = f"Content-Encoding {coding[:80]!r} is not taken for uploads: bytes are kept as they come, send them plain"
            raise rest_error(grpc.StatusCode.INVALID_ARGUMENT, message, "NOT_SUPPORTED", http_status=415)
        query = _query(exchange)
        sha256, offset = query.get("sha256", ""), _offset(query.get("offset_bytes", "0"))
        chunks = exchange.chunks()
        content_type = exchange.header(b"content-type")
        if content_type.lower().startswith(FORM):
            await self._receive_form(FormFile(boundary_of(content_type)), chunks, sha256, offset)
        else:
            told = sha256 or _digest_header(exchange)
            await self._receive_pieces(chunks, told, offset)

    async def _receive_form(self, form: FormFile, chunks: AsyncIterator[bytes], sha256: str, offset: int) -> None:
        pieces = form.pieces(chunks)
        first = await anext(pieces, b"")  # the fields before the file have come with it
        sha256 = sha256 or form.fields.get("sha256", "")
        offset = offset or _offset(form.fields.get("offset_bytes", "0"))

        async def all_pieces() -> AsyncIterator[bytes]:
            if first:
                yield first
            async for piece in pieces:
                yield piece

        await self._receive_pieces(all_pieces(), sha256, offset, form)

    async def _receive_pieces(self, pieces: AsyncIterator[bytes], sha256: str, offset: int, form: FormFile | None = None) -> None:
        if sha256:
            await self._pass_on(pieces, sha256, offset)
            return
        if offset:
            raise invalid("an upload that continues must tell the digest: give ?sha256=…", field="sha256")
        async with self._spools.open() as spool:
            async for piece in pieces:
                await spool.write(piece)
            spool.finish()
            told = form.fields.get("sha256", "") if form is not None else ""  # a field may also follow the file
            if told and told != spool.sha256:
                raise invalid(f"sha256 is {told[:80]!r}, but the bytes that came have {spool.sha256}", field="sha256")
            await self._pass_on(spool.pieces(), spool.sha256, 0)

    async def _pass_on(self, pieces: AsyncIterator[bytes], sha256: str, offset: int) -> None:
        """Send the pieces as messages. The server may answer before it has all, when it knows the bytes; then the rest of the
        body is read and thrown away, since most clients look for an answer only when they have sent everything."""
        exchange, route = self._exchange, self._route
        call = exchange.upstream.client_stream(
            route.full_method, None, exchange.metadata.pairs, exchange.metadata.timeout_seconds
        )
        try:
            sending = True
            async for message in self._messages(pieces, sha256, offset):
                if sending:
                    sending = await send_message(call, message.SerializeToString())
                    if not sending:
                        await early_end(call)
            if sending:
                await end_messages(call)
            answer = await call
        except grpc.aio.AioRpcError as error:
            failure = from_rpc(error)
            if error.code() is grpc.StatusCode.DATA_LOSS:
                failure.http_status = 400  # the bytes are not those that the digest names: the sender's fault, not the server's
            raise failure from None
        finally:
            call.cancel()
        data = write_response(route, route.output_class.FromString(answer))
        await exchange.answer(200, data, [JSON, *response_headers(await call.initial_metadata())])

    async def _messages(self, pieces: AsyncIterator[bytes], sha256: str, offset: int) -> AsyncIterator[Message]:
        """Request messages of a good size; the last has `finish`."""
        held = bytearray()
        make = self._route.input_class
        async for piece in pieces:
            held += piece
            while len(held) >= PIECE_BYTES_MIN:
                data = bytes(held[:PIECE_BYTES_MAX])
                del held[: len(data)]
                yield make(sha256=sha256, offset_bytes=offset, data=data)
                offset += len(data)
                sha256 = ""
        yield make(sha256=sha256, offset_bytes=offset, data=bytes(held), finish=True)


def _query(exchange: Exchange) -> dict[str, str]:
    """Query parameters by name, in both spellings of protojson; of a repeated one the last. Raises RestError."""
    pairs = read_pairs(exchange.scope["query_string"].decode("latin-1"), exchange.options.query_parameters_max)
    return {{"offsetBytes": "offset_bytes"}.get(name, name): value for name, value in pairs}


def _offset(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(f"offset_bytes must be a whole number from 0, not {text[:80]!r}", field="offset_bytes")
    return int(text)


def _digest_header(exchange: Exchange) -> str:
    """The digest of a raw body by RFC 9530, in hexadecimal digits; "" without one of SHA-256.

    Raises:
        RestError: it is there and cannot be read.
    """
    for name in (b"content-digest", b"repr-digest"):
        found = _DIGEST.search(exchange.header(name))
        if found is None:
            continue
        try:
            digest = base64.b64decode(found[1], validate=True)
        except binascii.Error:
            digest = b""
        if len(digest) != 32:
            raise _bad_digest(name, found[1])
        return digest.hex()
    return ""


def _bad_digest(name: bytes, value: str) -> RestError:
    title = name.decode().title()
    return invalid(f"header {title}: {value[:80]!r} must be the base64 of the 32 bytes of a SHA-256", field=name.decode())
