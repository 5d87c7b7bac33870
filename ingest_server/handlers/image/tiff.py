"""Sizes of the pages of a TIFF from its directories, without decoding anything.

TIFF Revision 6.0, sections 2 (structure), 8 (fields). Classic TIFF only: BigTIFF has another signature.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from ingest_server.handlers.image.header import HeaderFault, PictureSize, believed

PAGES_MAX = 10_000
"""Directories followed. A page takes 0.1 s at least, so these are a quarter of an hour."""

_WIDTH, _LENGTH, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 256, 257, 282, 283, 296
_ORIENTATION = 274
_WANTED = frozenset((_WIDTH, _LENGTH, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _ORIENTATION))
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_ENTRY_BYTES = 12


def tiff_sizes(file: BinaryIO) -> tuple[list[PictureSize], str]:
    """Sizes of all pages, in order.

    Returns:
        The sizes of the pages up to where the chain of directories is damaged, at least one; and what is wrong behind them, "" if
        nothing is.

    Raises:
        HeaderFault: there is no first page.
    """
    head = file.read(8)
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        raise HeaderFault("it does not begin like a TIFF")
    (offset,) = struct.unpack(order + "I", head[4:])
    sizes: list[PictureSize] = []
    seen: set[int] = set()
    try:
        while offset:
            if offset in seen:
                raise HeaderFault("its chain of pages runs in a circle")
            if len(sizes) == PAGES_MAX:
                raise HeaderFault(f"more than {PAGES_MAX:,} pages are not read")
            seen.add(offset)
            size, offset = _directory(file, order, offset)
            sizes.append(size)
    except HeaderFault as fault:
        if not sizes:
            raise
        return sizes, str(fault)
    if not sizes:
        raise HeaderFault("it has no page")
    return sizes, ""


def _directory(file: BinaryIO, order: str, offset: int) -> tuple[PictureSize, int]:
    """Size of one page, and where the next one's directory is; 0 behind the last."""
    file.seek(offset)
    (count,) = struct.unpack(order + "H", _exactly(file, 2))
    entries = _exactly(file, count * _ENTRY_BYTES)
    (following,) = struct.unpack(order + "I", _exactly(file, 4))
    values: dict[int, float] = {}
    for start in range(0, len(entries), _ENTRY_BYTES):
        tag, kind, amount = struct.unpack_from(order + "HHI", entries, start)
        if tag in _WANTED and amount == 1:
            value = _value(file, order, kind, entries[start + 8 : start + _ENTRY_BYTES])
            # Of a tag that stands there twice readers take one or the other: the larger one counts.
            values[tag] = max(value, values.get(tag, 0.0))
    width, height = int(values.get(_WIDTH, 0)), int(values.get(_LENGTH, 0))
    if not width or not height:
        raise HeaderFault(f"a page is {width} × {height} pixels large")
    scale = {1: 0.0, 2: 1.0, 3: 2.54}.get(int(values.get(_UNIT, 2)), 0.0)  # only their ratio, per inch, per centimetre
    resolution = believed(values.get(_X_RESOLUTION, 0.0) * scale, values.get(_Y_RESOLUTION, 0.0) * scale)
    return PictureSize(width, height, *resolution).turned(int(values.get(_ORIENTATION, 1))), following


def _value(file: BinaryIO, order: str, kind: int, field: bytes) -> float:
    """The number in a directory entry; 0 for a kind that none of these tags has."""
    if kind == _SHORT:
        return float(struct.unpack(order + "H", field[:2])[0])
    (number,) = struct.unpack(order + "I", field)
    if kind == _LONG:
        return float(number)
    if kind != _RATIONAL:
        return 0.0
    file.seek(number)
    pair = file.read(8)
    if len(pair) < 8:
        return 0.0
    above, below = struct.unpack(order + "II", pair)
    return above / below if below else 0.0


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise HeaderFault("it ends within the directory of a page")
    return data
