"""Width, height and resolution of PNG and JPEG from their headers, without decoding anything.

PNG: W3C Portable Network Graphics (Third Edition), 5.2, 11.2.1, 11.3.4.3. JPEG: ITU-T T.81, annex B; JFIF: ITU-T T.871, 10.1;
Exif: CIPA DC-008, 4.5.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

from ingest_server.handlers.image.exif import orientation_of

INCH_METRES = 0.0254
CHUNKS_MAX = 10_000
"""Parts of a header looked at. Colour profiles and previews take some hundred segments of JPEG, at 64 KiB each."""
FILL_BYTES_MAX = 65_536
"""Before a marker of JPEG. The standard allows any number; nobody writes more than a few."""
RESOLUTION_MIN, RESOLUTION_MAX = 10.0, 10_000.0
"""Dots per inch that are believed: from posters to microfilm."""

ORIENTATION_MAX = 8
_SIDEWAYS_MIN = 5
"""From this orientation on rows are columns."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_EXIF = b"Exif\x00\x00"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers SOF0 … SOF15; the three left out are tables and reserved."""
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
"""Markers without a length behind them."""


class HeaderFault(Exception):
    """The header is damaged, or of another format; the text says where."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Of one picture, as it is seen.

    Attributes:
        width, height: in pixels.
        horizontal, vertical: dots per inch; 0.0 where the file does not tell.
        orientation: how the stored pixels are to be turned to be seen so, 1 to 8 as in Exif; 1: not at all.
    """

    width: int
    height: int
    horizontal: float = 0.0
    vertical: float = 0.0
    orientation: int = 1

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    def turned(self, orientation: int) -> PictureSize:
        """The same picture, stored so far, as it is seen in an orientation. What is none counts as 1."""
        if not 1 < orientation <= ORIENTATION_MAX:
            return self
        if orientation < _SIDEWAYS_MIN:
            return replace(self, orientation=orientation)
        return PictureSize(self.height, self.width, self.vertical, self.horizontal, orientation)


def believed(horizontal: float, vertical: float) -> tuple[float, float]:
    """Resolutions, or 0.0 for both where one cannot be."""
    if RESOLUTION_MIN <= horizontal <= RESOLUTION_MAX and RESOLUTION_MIN <= vertical <= RESOLUTION_MAX:
        return horizontal, vertical
    return 0.0, 0.0


def png_size(file: BinaryIO) -> PictureSize:
    """Size of a PNG, from its chunks before the first of pixels.

    Raises:
        HeaderFault: see there.
    """
    if _exactly(file, 8) != _PNG:
        raise HeaderFault("it does not begin like a PNG")
    length, kind = struct.unpack(">I4s", _exactly(file, 8))
    if kind != b"IHDR" or length != 13:
        raise HeaderFault("its first chunk is not the header")
    width, height = struct.unpack(">II5x", _exactly(file, 13))
    if not width or not height:
        raise HeaderFault(f"it is {width} × {height} pixels large")
    for _ in range(CHUNKS_MAX):
        file.seek(4, 1)  # checksum of the chunk before
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        if kind == b"IDAT":
            return PictureSize(width, height)
        if kind == b"pHYs" and length == 9:
            across, down, unit = struct.unpack(">IIB", _exactly(file, 9))
            return PictureSize(width, height, *(believed(across * INCH_METRES, down * INCH_METRES) if unit == 1 else (0.0, 0.0)))
        file.seek(length, 1)
    raise HeaderFault(f"no pixels follow within {CHUNKS_MAX:,} chunks")


def jpeg_size(file: BinaryIO) -> PictureSize:
    """Size of a JPEG, from its first frame header.

    Raises:
        HeaderFault: see there.
    """
    if _exactly(file, 2) != _JPEG:
        raise HeaderFault("it does not begin like a JPEG")
    resolution, orientation = (0.0, 0.0), 1
    for _ in range(CHUNKS_MAX):
        if _exactly(file, 1) != b"\xff":
            raise HeaderFault(f"no marker at byte {file.tell() - 1:,}")
        marker = 0xFF
        fill_end = file.tell() + FILL_BYTES_MAX
        while marker == 0xFF:  # fill bytes
            if file.tell() > fill_end:
                raise HeaderFault(f"more than {FILL_BYTES_MAX:,} fill bytes before a marker")
            marker = _exactly(file, 1)[0]
        if marker in _BARE:
            continue
        if marker in (0xD9, 0xDA):
            raise HeaderFault("its pixels come before the header")
        length = struct.unpack(">H", _exactly(file, 2))[0] - 2
        if length < 0:
            raise HeaderFault(f"a segment without its own length at byte {file.tell() - 2:,}")
        if marker in _FRAMES:
            height, width = struct.unpack(">xHH", _exactly(file, 5))
            if not width or not height:
                raise HeaderFault(f"it is {width} × {height} pixels large")
            return PictureSize(width, height, *resolution).turned(orientation)
        if marker == 0xE1 and length >= len(_EXIF):
            # Of several such segments, of which some are no Exif, the first that tells counts.
            data = _exactly(file, length)
            length = 0
            if data.startswith(_EXIF) and orientation == 1:
                orientation = orientation_of(data[len(_EXIF) :])
        if marker == 0xE0 and length >= 12:
            data = _exactly(file, 12)
            length -= 12
            if data.startswith(b"JFIF\x00"):
                unit, across, down = struct.unpack(">BHH", data[7:])
                scale = {1: 1.0, 2: INCH_METRES * 100}.get(unit, 0.0)  # dots per inch, per centimetre, or only their ratio
                resolution = believed(across * scale, down * scale)
        file.seek(length, 1)
    raise HeaderFault(f"no frame header within {CHUNKS_MAX:,} segments")


def _exactly(file: BinaryIO, count: int) -> bytes:
    """The next bytes."""
    data = file.read(count)
    if len(data) != count:
        raise HeaderFault("it ends within its header")
    return data
