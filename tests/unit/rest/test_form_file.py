"""Forms with a file: what is malformed is refused with a reason, whatever the pieces; the file's bytes come through unchanged."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from ingest_server.rest.errors import RestError
from ingest_server.rest.form_file import FormFile, boundary_of

B = "xyz"


def part(headers: str, data: bytes) -> bytes:
    return f"--{B}\r\n{headers}\r\n\r\n".encode() + data + b"\r\n"


def file_part(data: bytes) -> bytes:
    return part('Content-Disposition: form-data; name="upload"; filename="a.bin"\r\nContent-Type: text/plain', data)


END = f"--{B}--\r\n".encode()


async def read(body: bytes, size: int = 1 << 16) -> tuple[bytes, dict[str, str]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    form = FormFile(B.encode())
    data = b"".join([piece async for piece in form.pieces(chunks())])
    return data, form.fields


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cut short"),
        (b"rubbish", "cannot be read"),
        (file_part(b"abc"), "cut short"),
        (file_part(b"abc")[:-1], "cut short"),
        (f"--{B}\r\nno colon at all".encode(), "cannot be read"),
        (f"--{B}\r\n: empty name\r\n\r\nx\r\n--{B}--\r\n".encode(), "cannot be read"),
        (part('Content-Disposition: form-data; name="sha256"', b"abc") + END, "no file"),
        (file_part(b"a") + file_part(b"b") + END, "two files"),
        (part('Content-Disposition: form-data; name="sha256"', b"x" * 1_025) + END, "more than 1,024 bytes"),
        (b"".join(part(f'Content-Disposition: form-data; name="f{n}"', b"") for n in range(9)) + END, "more than 8 fields"),
        (part('Content-Disposition: form-data; name="sha256"', b"\xff") + END, "not UTF-8"),
        (part("X: " + "x" * 10_000, b"") + END, "8,192 bytes|cannot be read"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 16])
async def test_what_is_malformed_is_refused(body: bytes, said: str, size: int) -> None:
    with pytest.raises(RestError, match=said) as caught:
        await read(body, size)
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 71]
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(RestError, match="boundary"):
        boundary_of(content_type)


def test_a_boundary_may_be_quoted() -> None:
    assert boundary_of('multipart/form-data; charset=utf-8; boundary="a b"') == b"a b"


@pytest.mark.parametrize("size", [1, 5, 1 << 16])
async def test_the_file_comes_through_with_the_fields_around_it(size: int) -> None:
    data = os.urandom(2_000) + f"\r\n--{B[:-1]}\r\n--".encode() + b"\r\n" * 5
    before = part('Content-Disposition: form-data; name="sha256"', b"abc")
    after = part('Content-Disposition: form-data; name="note"', "ü".encode())
    found, fields = await read(before + file_part(data) + after + END, size)
    assert found == data
    assert fields == {"sha256": "abc", "note": "ü"}


async def test_a_part_called_file_needs_no_file_name() -> None:
    assert (await read(part('Content-Disposition: form-data; name="file"', b"abc") + END))[0] == b"abc"
