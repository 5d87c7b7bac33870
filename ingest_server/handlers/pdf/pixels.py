"""Pixels of pdfium's bitmaps as PNG has them."""

from __future__ import annotations

from ingest_server.handlers import png

_OPAQUE = 255


def grey_of(pixels: bytes | bytearray, channels: int) -> bytes | bytearray | None:
    """One byte a pixel where all pixels of three or more channels are grey; None if one is coloured."""
    red = pixels[0::channels]
    return red if red == pixels[1::channels] and red == pixels[2::channels] else None


def from_bgra(data: bytes) -> tuple[int, bytes | bytearray]:
    """Pixels of four bytes (blue, green, red, alpha) in as few channels as hold them: grey, RGB or RGBA.

    Returns:
        The number of channels, and the pixels.
    """
    alpha = data[3::4]
    opaque = alpha.count(_OPAQUE) == len(alpha)
    if opaque and (grey := grey_of(data, 4)) is not None:
        return png.GREY, grey
    channels = png.RGB if opaque else png.RGBA
    pixels = bytearray(channels * len(alpha))
    pixels[0::channels], pixels[1::channels], pixels[2::channels] = data[2::4], data[1::4], data[0::4]
    if not opaque:
        pixels[3::channels] = alpha
    return channels, pixels
