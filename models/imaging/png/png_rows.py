"""compressed rows of a PNG ──▶ Pillow's image, or an error if rows are missing.

If a complete zlib stream has too few rows, Pillow leaves the rest of the image black without an error. Counting the
rows would mean inflating them twice. So a random mark is put at the last pixel, and the rows are counted only if the
mark is still there after decoding.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

from PIL import Image

from models.errors import BadImage
from models.imaging.png.png_chunks import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, Layout

# Pillow's mode and raw mode by colour type and bits of a sample, PNG specification, table 11.1. Pillow has no mode for
# 16-bit grey with opacity, so its bytes are read as four channels.
MODES = {
    (GREY, 1): ("1", "1"),
    (GREY, 2): ("L", "L;2"),
    (GREY, 4): ("L", "L;4"),
    (GREY, 8): ("L", "L"),
    (GREY, 16): ("I;16", "I;16B"),
    (RGB, 8): ("RGB", "RGB"),
    (RGB, 16): ("RGB", "RGB;16B"),
    (PALETTE, 1): ("P", "P;1"),
    (PALETTE, 2): ("P", "P;2"),
    (PALETTE, 4): ("P", "P;4"),
    (PALETTE, 8): ("P", "P"),
    (GREY_ALPHA, 8): ("LA", "LA"),
    (GREY_ALPHA, 16): ("RGBA", "RGBA"),
    (RGBA, 8): ("RGBA", "RGBA"),
    (RGBA, 16): ("RGBA", "RGBA;16B"),
}
# First column and row, and step of columns and rows, of each pass over an interlaced image; the same, section 8.2.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_WHOLE = ((0, 0, 1, 1),)
_PIECE_BYTES = 64 * 1024


def read_rows(layout: Layout, rows: bytes, raw_mode: str | None = None) -> Image.Image:
    """Inflates the rows and undoes their filters.

    Args:
        layout: its colour type and depth are in `MODES`.
        rows: the zlib stream.
        raw_mode: Pillow's raw mode, if not that of `MODES`.

    Raises:
        BadImage: rows are missing.
        ValueError: damaged.
    """
    mode, usual = MODES[layout.colour, layout.depth]
    image = Image.new(mode, (layout.width, layout.height))
    last = last_pixel(layout.width, layout.height, interlaced=layout.interlace == 1)
    mark = _mark(mode)
    image.putpixel(last, mark)
    image.frombytes(rows, "zip", raw_mode or usual, layout.interlace)
    if image.getpixel(last) == mark:
        check_rows(layout, rows)
    return image


def _mark(mode: str) -> int | tuple[int, ...]:
    """A random pixel, which nobody can foresee."""
    random = os.urandom(4)
    bands = Image.getmodebands(mode)
    return tuple(random[:bands]) if bands > 1 else 255 * (random[0] & 1) if mode == "1" else random[0]


def last_pixel(width: int, height: int, *, interlaced: bool) -> tuple[int, int]:
    """Column and row of the last pixel in the stream."""
    if not interlaced:
        return width - 1, height - 1
    *_, (column, row, columns, rows) = _passes(width, height, interlaced)
    return range(column, width, columns)[-1], range(row, height, rows)[-1]


def check_rows(layout: Layout, rows: bytes) -> None:
    """Inflates the rows and counts their bytes.

    Raises:
        BadImage: fewer than the layout requires.
        zlib.error: damaged.
    """
    width, height = layout.width, layout.height
    left = wanted = rows_bytes(width, height, layout.bits, interlaced=layout.interlace == 1)
    inflater = zlib.decompressobj()
    for position in range(0, len(rows), _PIECE_BYTES):
        piece = rows[position : position + _PIECE_BYTES]
        while piece and left > 0 and not inflater.eof:
            left -= len(inflater.decompress(piece, left))
            piece = inflater.unconsumed_tail
    if left > 0:
        raise BadImage(f"damaged png image: its rows have {wanted - left} bytes; {width}x{height} pixels have {wanted}")


def rows_bytes(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of all rows, with one byte for each row's filter; `bits` is of a pixel."""
    return sum(
        len(range(row, height, rows)) * (1 + (len(range(column, width, columns)) * bits + 7) // 8)
        for column, row, columns, rows in _passes(width, height, interlaced)
    )


def _passes(width: int, height: int, interlaced: bool) -> Iterator[tuple[int, int, int, int]]:
    """The passes that contain pixels."""
    return (each for each in (_PASSES if interlaced else _WHOLE) if each[0] < width and each[1] < height)
