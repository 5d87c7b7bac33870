"""PNG as written, against what Pillow reads of it."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from ingest_server.handlers import png

MODES = {png.GREY: "L", png.RGB: "RGB", png.RGBA: "RGBA"}


def decoded(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, -1), (2, 3)])
def test_pixels_that_do_not_fit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="are not 5 bytes"):
        png.encode(*size, png.GREY, bytes(5))


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (9, 1), (13, 7), (700, 800)])
def test_pixels_come_back(monkeypatch: pytest.MonkeyPatch, kind: int, channels: int, width: int, height: int) -> None:
    monkeypatch.setattr(png, "_best_filter", lambda *_: kind)
    monkeypatch.setattr(png, "_BAND_BYTES", 100_000)
    pixels = random.Random(7).randbytes(width * height * channels)
    picture = decoded(png.encode(width, height, channels, pixels))
    assert (picture.mode, picture.size) == (MODES[channels], (width, height))
    assert picture.tobytes() == pixels


def test_smooth_pictures_are_filtered_and_flat_ones_are_not() -> None:
    noise = random.Random(3)
    smooth = bytes(max(0, min(255, (x + y) // 2 + noise.randrange(3))) for y in range(200) for x in range(200))
    unfiltered = Image.frombytes("L", (200, 200), smooth)
    ours = png.encode(200, 200, png.GREY, smooth)
    assert decoded(ours).tobytes() == unfiltered.tobytes()
    assert png._best_filter(memoryview(smooth), 200, 1) in (1, 2)
    assert png._best_filter(memoryview(bytes(40_000)), 200, 1) == 0


def test_the_resolution_is_told() -> None:
    assert decoded(png.encode(1, 1, png.GREY, b"x", 300)).info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert "dpi" not in decoded(png.encode(1, 1, png.GREY, b"x")).info
