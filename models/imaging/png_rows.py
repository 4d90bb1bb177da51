"""PNG ──▶ Pillow's reader, refusing compressed rows that end before the image does.

Pillow takes a complete zlib stream of too few rows for a whole image, the rest of it black. To look whether all are
there would cost inflating them twice; so a mark is put where the last pixel will be, and only where it is still there
after decoding, or happens to be that pixel, the rows are counted.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from models.errors import BadImage

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel by colour type, PNG specification, table 11.1
# First column and row, and distance of columns and rows, of each pass over an interlaced image; the same, section 8.2.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_WHOLE = ((0, 0, 1, 1),)
_PIECE_BYTES = 64 * 1024


class WholePng(PngImageFile):
    """Pillow's reader of PNG; `load` raises BadImage where rows are missing."""

    def load_prepare(self) -> None:
        """Puts the mark."""
        super().load_prepare()
        self._last = last_pixel(self.width, self.height, interlaced=bool(self.info.get("interlace")))
        random = os.urandom(4)
        bands = Image.getmodebands(self.mode)
        self._mark = tuple(random[:bands]) if bands > 1 else 255 * (random[0] & 1) if self.mode == "1" else random[0]
        self.im.putpixel(self._last, self._mark)

    def load_end(self) -> None:
        """Looks for it."""
        super().load_end()
        if self.im.getpixel(self._last) == self._mark:
            assert self.fp is not None  # it is closed later
            self.fp.seek(0)
            check_rows(self.fp.read())


def last_pixel(width: int, height: int, *, interlaced: bool) -> tuple[int, int]:
    """Column and row of the pixel that is coded last."""
    *_, (column, row, columns, rows) = _passes(width, height, interlaced)
    return range(column, width, columns)[-1], range(row, height, rows)[-1]


def check_rows(data: bytes) -> None:
    """Inflates the rows and counts their bytes.

    Args:
        data: a PNG with all its rows in one chunk.

    Raises:
        BadImage: fewer than the header announces.
        zlib.error: damaged.
    """
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    left = wanted = rows_bytes(width, height, depth * SAMPLES[colour], interlaced=interlace == 1)
    start = data.index(b"IDAT") + 4
    inflater = zlib.decompressobj()
    for position in range(start, len(data), _PIECE_BYTES):
        piece = data[position : position + _PIECE_BYTES]
        while piece and left > 0 and not inflater.eof:
            left -= len(inflater.decompress(piece, left))
            piece = inflater.unconsumed_tail
    if left > 0:
        raise BadImage(f"damaged png image: its rows have {wanted - left} bytes; {width}x{height} pixels have {wanted}")


def rows_bytes(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of all rows of an image of so many bits a pixel, with a byte for each row's filter."""
    return sum(
        len(range(row, height, rows)) * (1 + (len(range(column, width, columns)) * bits + 7) // 8)
        for column, row, columns, rows in _passes(width, height, interlaced)
    )


def _passes(width: int, height: int, interlaced: bool) -> Iterator[tuple[int, int, int, int]]:
    """The passes that have pixels."""
    return (each for each in (_PASSES if interlaced else _WHOLE) if each[0] < width and each[1] < height)
