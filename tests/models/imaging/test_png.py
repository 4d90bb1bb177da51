"""`models.imaging.png`: a PNG without what its pixels do not need."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from PIL import PngImagePlugin

from models.errors import BadImage
from models.imaging.png import keep_what_pixels_need
from tests.models import encoded
from tests.models.encoded import png_chunk, png_header

ROWS = zlib.compress(bytes(9 * 8))
END = png_chunk(b"IEND", b"")


def kinds(data: bytes) -> list[bytes]:
    """Types of the chunks of a PNG."""
    found, position = [], 8
    while position < len(data):
        found.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return found


def test_text_profiles_and_unknown_chunks_are_left_out() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b" * 99, zip=True)
    image = encoded.picture().quantize(8)
    data = encoded.encode(image, "PNG", pnginfo=text, icc_profile=b"x" * 99, dpi=(72, 72), transparency=1)
    assert {b"zTXt", b"iCCP", b"pHYs"} <= set(kinds(data))
    assert kinds(keep_what_pixels_need(data)) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]


def test_rows_in_many_chunks_become_one() -> None:
    pieces = b"".join(png_chunk(b"IDAT", ROWS[at : at + 1]) for at in range(len(ROWS)))
    data = keep_what_pixels_need(png_header(8, 8) + pieces + END)
    assert kinds(data) == [b"IHDR", b"IDAT", b"IEND"]
    assert not np.any(encoded.pillow_pixels(data, "L"))


def test_what_comes_behind_the_end_is_left_out() -> None:
    whole = png_header(8, 8) + png_chunk(b"IDAT", ROWS) + END
    assert kinds(keep_what_pixels_need(whole + b"more")) == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "LA", "P", "RGB", "RGBA"])
def test_the_pixels_stay_the_same(mode: str) -> None:
    image = encoded.picture().quantize(8) if mode == "P" else encoded.picture().convert("L").convert(mode)
    data = encoded.encode(image, "PNG")
    shown = "I;16" if mode == "I;16" else "RGBA"
    kept = keep_what_pixels_need(data)
    np.testing.assert_array_equal(encoded.pillow_pixels(kept, shown), encoded.pillow_pixels(data, shown))


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS", b"eXIf"], ids=bytes.decode)
def test_a_chunk_that_comes_once_may_not_come_twice(kind: bytes) -> None:
    twice = png_chunk(kind, bytes(12)) * 2
    with pytest.raises(BadImage, match=f"two chunks {kind.decode()}"):
        keep_what_pixels_need(png_header(8, 8) + twice + png_chunk(b"IDAT", ROWS) + END)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_header(8, 8), id="after its header"),
        pytest.param(png_header(8, 8) + png_chunk(b"IDAT", ROWS), id="before its end"),
        pytest.param(png_header(8, 8) + png_chunk(b"IDAT", ROWS) + END[:-1], id="in its end"),
        pytest.param(png_header(8, 8) + b"\xff\xff\xff\xffIDAT" + ROWS + END, id="by a chunk longer than itself"),
    ],
)
def test_a_png_cut_short_is_a_bad_image(data: bytes) -> None:
    with pytest.raises(BadImage, match="cut short"):
        keep_what_pixels_need(data)
