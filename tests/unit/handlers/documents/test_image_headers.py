"""Sizes of pictures, read without decoding: damage and lies first."""

from __future__ import annotations

import io
import struct

import pytest

from ingest_server.handlers.image.header import HeaderFault, PictureSize, jpeg_size, png_size
from ingest_server.handlers.image.tiff import PAGES_MAX, tiff_sizes
from tests.unit.handlers.documents.pictures import jpeg_claiming, page, png_claiming, saved, tiff_claiming


def sizes_of(data: bytes) -> list[PictureSize]:
    file = io.BytesIO(data)
    if data[:1] == b"\x89":
        return [png_size(file)]
    return [jpeg_size(file)] if data[:1] == b"\xff" else tiff_sizes(file)[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_every_truncation_of_a_header_is_told(kind: str) -> None:
    data = saved(page(width=60, height=50), kind)
    for length in range(len(data)):
        try:
            (size,) = sizes_of(data[:length])
        except HeaderFault:
            continue
        except IndexError:
            assert length == 0
            continue
        assert (size.width, size.height) == (60, 50)  # where it is whole enough to tell, it tells the truth


@pytest.mark.parametrize(
    "data",
    [
        png_claiming(0, 5),
        png_claiming(5, 0),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 13, b"IDAT") + bytes(30),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 14, b"IHDR") + bytes(30),
        png_claiming(5, 5)[:33] + struct.pack(">I4sI", 0, b"tEXt", 0) * 10_001,
        jpeg_claiming(0, 5),
        b"\xff\xd8\xff\xda\x00\x08",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff" * 65_540 + jpeg_claiming(5, 5)[3:],
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8\x00\x00\x00",
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 10_001,
        b"\xff\xd8" + b"\xff" * 5_000,
        tiff_claiming([]),
        tiff_claiming([(0, 5)]),
        b"II*\x00\xff\xff\xff\xff",
        b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(30),
    ],
)
def test_damaged_headers_are_told(data: bytes) -> None:
    with pytest.raises(HeaderFault):
        sizes_of(data)


def test_a_chain_of_pages_that_runs_in_a_circle_ends() -> None:
    sizes, fault = tiff_sizes(io.BytesIO(tiff_claiming([(5, 6), (7, 8)], after_last=8)))
    assert [(size.width, size.height) for size in sizes] == [(5, 6), (7, 8)]
    assert "circle" in fault


def test_a_chain_of_pages_that_is_cut_off_keeps_those_before() -> None:
    sizes, fault = tiff_sizes(io.BytesIO(tiff_claiming([(5, 6)], after_last=1_000_000)))
    assert len(sizes) == 1
    assert "ends within" in fault


def test_the_number_of_pages_is_bounded() -> None:
    sizes, fault = tiff_sizes(io.BytesIO(tiff_claiming([(1, 1)] * (PAGES_MAX + 1))))
    assert len(sizes) == PAGES_MAX
    assert f"{PAGES_MAX:,}" in fault


def test_of_a_size_told_twice_the_larger_counts() -> None:
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, 9), (256, 90_000), (256, 9), (257, 5)))
    data = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 4) + entries + bytes(4)
    assert tiff_sizes(io.BytesIO(data))[0][0].width == 90_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_size_and_resolution(kind: str) -> None:
    (size,) = sizes_of(saved(page(width=321, height=123), kind))
    assert (size.width, size.height) == (321, 123)
    assert (size.horizontal, size.vertical) == pytest.approx((150, 150), abs=0.02)  # PNG counts dots per metre


def test_both_byte_orders_of_tiff() -> None:
    for order in "<>":
        assert tiff_sizes(io.BytesIO(tiff_claiming([(70_000, 3)], order=order)))[0] == [PictureSize(70_000, 3)]


@pytest.mark.parametrize("dots", [0, 1, 60_000])
def test_a_resolution_that_cannot_be_is_none(dots: int) -> None:
    data = jpeg_claiming(10, 10).replace(b"\x00\x96\x00\x96", struct.pack(">HH", dots, dots))
    assert jpeg_size(io.BytesIO(data)) == PictureSize(10, 10)
