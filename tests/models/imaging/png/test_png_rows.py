"""PNG whose rows end early are damaged, and all others are whole."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.errors import BadImage
from models.imaging.png import png_rows
from models.imaging.png.png_chunks import Layout, read_chunks
from models.imaging.png.png_rows import check_rows, last_pixel, read_rows, rows_bytes
from tests.chaos.inputs.pictures import idat, png
from tests.models.encoded import encode, picture, png_chunk

KINDS = {  # depth, colour type, bits of a pixel
    "1 bit": (1, 0, 1),
    "4 bits": (4, 0, 4),
    "grey": (8, 0, 8),
    "16 bits": (16, 0, 16),
    "colour": (8, 2, 24),
    "colour of 16 bits": (16, 2, 48),
    "palette": (8, 3, 8),
    "grey and transparency": (8, 4, 16),
    "colour and transparency": (8, 6, 32),
}
SIZES = [(1, 1), (1, 2), (2, 1), (5, 1), (1, 5), (8, 8), (9, 7), (3, 4), (17, 33)]


def of_bytes(kind: str, size: tuple[int, int], missing: int, interlace: int) -> bytes:
    depth, colour, bits = KINDS[kind]
    whole = rows_bytes(*size, bits, interlaced=bool(interlace))
    palette = [png_chunk(b"PLTE", bytes(768))] if colour == 3 else []
    data = idat(bytes(whole - missing))
    return png(*size, *palette, data, depth=depth, colour=colour, interlace=interlace)


def taken_apart(data: bytes) -> tuple[Layout, bytes]:
    """Layout and compressed rows."""
    chunks = read_chunks(data)
    return chunks.layout, b"".join(data[where] for where in chunks.rows)


def load(data: bytes) -> Image.Image:
    return read_rows(*taken_apart(data))


@pytest.mark.parametrize("interlace", [0, 1], ids=["in order", "interlaced"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("kind", KINDS)
def test_black_images_are_whole_with_all_their_rows_and_damaged_without_the_last(
    kind: str, size: tuple[int, int], interlace: int
) -> None:
    check_rows(*taken_apart(of_bytes(kind, size, 0, interlace)))
    assert load(of_bytes(kind, size, 0, interlace)).size == size
    with pytest.raises(BadImage, match="its rows have"):
        check_rows(*taken_apart(of_bytes(kind, size, 1, interlace)))


@pytest.mark.parametrize("interlace", [0, 1], ids=["in order", "interlaced"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_refuses_rows_that_end_with_a_row(kind: str, interlace: int) -> None:
    row = rows_bytes(8, 1, KINDS[kind][2], interlaced=False)  # the last of the last pass, too
    with pytest.raises(BadImage, match="8x8 pixels have"):
        load(of_bytes(kind, (8, 8), row, interlace))


def test_the_mark_leaves_no_trace() -> None:
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"):
        original = picture(mode="RGB").convert(mode) if mode != "I;16" else picture(mode=mode)
        data = encode(original, "PNG")
        assert np.array_equal(np.asarray(load(data)), np.asarray(Image.open(io.BytesIO(data)))), mode


def test_rows_are_counted_only_where_the_mark_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(png_rows, "check_rows", lambda *_: counted.append(1))
    monkeypatch.setattr(png_rows.os, "urandom", lambda count: b"\x80" * count)
    load(encode(Image.new("L", (9, 9), 0x7F), "PNG"))
    assert counted == []
    load(encode(Image.new("L", (9, 9), 0x80), "PNG"))
    assert len(counted) == 1


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_last_pixel_of_an_interlaced_image_is_the_one_that_pillow_writes_last(size: tuple[int, int]) -> None:
    assert last_pixel(*size, interlaced=False) == (size[0] - 1, size[1] - 1)
    total = rows_bytes(*size, 8, interlaced=True)
    rows_of_ones = bytearray(total)
    rows_of_ones[-1] = 1  # the last byte of all is the last pixel's
    data = png(*size, png_chunk(b"IDAT", zlib.compress(bytes(rows_of_ones))), png_chunk(b"IEND", b""), interlace=1)
    found = np.argwhere(np.asarray(load(data)) == 1)
    assert [(x, y) for y, x in found.tolist()] == [last_pixel(*size, interlaced=True)]
