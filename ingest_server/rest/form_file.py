"""multipart/form-data (RFC 7578) with one file and a few short fields, read piece by piece: no part is ever whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message as Headers

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from ingest_server.rest.errors import RestError, invalid

FIELD_BYTES_MAX = 1_024
"""A digest has 64."""
FIELDS_MAX = 8
HEAD_BYTES_MAX = 8_192
"""Names and values of the headers of all parts; a part has two or three short ones."""
BOUNDARY_BYTES_MAX = 70
"""RFC 2046, 5.1.1."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that Content-Type names.

    Raises:
        RestError: it names none, or one that cannot be.
    """
    headers = Headers()
    headers["content-type"] = content_type
    boundary = headers.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= BOUNDARY_BYTES_MAX or not boundary.isascii():
        raise invalid(f"Content-Type {content_type[:200]!r} must name a boundary of 1 to {BOUNDARY_BYTES_MAX} characters")
    return boundary.encode()


class FormFile:
    """Reads a form: `fields` hold the short fields as far as they have come, and `pieces` gives the file.

    The file is the part that has a file name, or is called `file` or `data`.

    Args:
        boundary: between the parts.
    """

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self._name = b""
        self._value = b""
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._head_bytes = 0
        self._disposition = ""
        self._in_file = False
        self._file_seen = False
        self._whole = False
        self._pieces: list[bytes] = []
        self._fault: RestError | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._on_header_name,
                "on_header_value": self._on_header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_ends,
                "on_end": self._ends,
            },
        )

    async def pieces(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the file, in order.

        Raises:
            RestError: the form is malformed, cut short, has no file, two files, or a field that is too long.
        """
        async for chunk in chunks:
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise self._fault or invalid(f"the multipart body cannot be read: {error}", field="body") from None
            if self._fault is not None:
                raise self._fault
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
        if not self._whole:
            raise invalid("the multipart body is cut short: its closing boundary is missing", field="body")
        if not self._file_seen:
            raise invalid("the form has no file: send a part with a file name, or called file", field="body")

    def _fail(self, message: str, field: str = "body") -> None:
        if self._fault is None:
            self._fault = invalid(message, field=field)

    def _part_begins(self) -> None:
        self._disposition = ""
        self._value = b""

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        if self._may_have(end - start):
            self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        if self._may_have(end - start):
            self._header_value += data[start:end]

    def _may_have(self, count: int) -> bool:
        self._head_bytes += count
        if self._head_bytes > HEAD_BYTES_MAX:
            self._fail(f"the headers of the form's parts have more than {HEAD_BYTES_MAX:,} bytes")
        return self._head_bytes <= HEAD_BYTES_MAX

    def _header_ends(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value.decode("utf-8", "replace")
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        headers = Headers()
        headers["content-disposition"] = self._disposition.replace("\r", " ").replace("\n", " ")
        name = headers.get_param("name", header="content-disposition")
        self._name = name.encode() if isinstance(name, str) else b""
        self._in_file = bool(headers.get_filename()) or self._name in (b"file", b"data")
        if self._in_file and self._file_seen:
            self._fail("the form has two files: send one in a request")
        self._file_seen = self._file_seen or self._in_file

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > FIELD_BYTES_MAX:
            self._value = b""
            self._fail(f"form field {self._name[:80]!r} has more than {FIELD_BYTES_MAX:,} bytes")

    def _part_ends(self) -> None:
        if self._in_file:
            return
        if len(self.fields) >= FIELDS_MAX:
            self._fail(f"the form has more than {FIELDS_MAX} fields")
            return
        try:
            self.fields[self._name.decode()] = self._value.decode()
        except UnicodeDecodeError:
            self._fail(f"form field {self._name[:80]!r} is not UTF-8")

    def _ends(self) -> None:
        self._whole = True
