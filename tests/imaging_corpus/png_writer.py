"""samples ──▶ PNG of any colour type and depth, interlaced or not: chunks by hand, rows by zlib.

Written from the PNG specification and from nothing of the decoder.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint16]
"""`[H, W, C]`, each below 2 to the depth."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column, steps of rows and columns."""


@dataclass(frozen=True)
class Layout:
    """How a PNG is written."""

    colour: int
    depth: int
    interlaced: bool = False
    filters: Sequence[int] = (0, 1, 2, 3, 4)
    """Of the rows, in turn."""
    level: int = 6
    pieces: int = 1
    """IDAT chunks."""


def chunk(kind: bytes, content: bytes) -> bytes:
    """Length, type, content, checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int, layout: Layout) -> bytes:
    """IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, layout.depth, layout.colour, 0, 0, layout.interlaced))


def write_png(samples: Samples, layout: Layout, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG with chunks before its rows (palette and transparency among them) and behind them."""
    height, width, _ = samples.shape
    start = SIGNATURE + header(width, height, layout) + before
    return start + rows_chunks(zlib.compress(rows(samples, layout), layout.level), layout.pieces) + after + end()


def end() -> bytes:
    """IEND."""
    return chunk(b"IEND", b"")


def rows_chunks(stream: bytes, pieces: int, kind: bytes = b"IDAT") -> bytes:
    """The compressed rows in so many chunks, some of them perhaps empty."""
    size = -(-len(stream) // pieces)
    return b"".join(chunk(kind, stream[n * size : (n + 1) * size]) for n in range(pieces))


def rows(samples: Samples, layout: Layout) -> bytes:
    """Filtered rows, pass by pass."""
    passes = _ADAM7 if layout.interlaced else ((0, 0, 1, 1),)
    found = [samples[row::rows, column::columns] for row, column, rows, columns in passes]
    return b"".join(_filtered(one, layout) for one in found if one.size)


def _filtered(samples: Samples, layout: Layout) -> bytes:
    distance = max(1, CHANNELS[layout.colour] * layout.depth // 8)
    before = np.zeros(len(_packed(samples[0], layout.depth)), int)
    found = []
    for number, row in enumerate(samples):
        line = _packed(row, layout.depth).astype(int)
        left, corner = (np.concatenate([np.zeros(distance, int), one])[: len(one)] for one in (line, before))
        kind = layout.filters[number % len(layout.filters)]
        predicted = (0, left, before, (left + before) // 2, _paeth(left, before, corner))[kind]
        found.append(bytes([kind]) + ((line - predicted) % 256).astype(np.uint8).tobytes())
        before = line
    return b"".join(found)


def _paeth(left: NDArray, above: NDArray, corner: NDArray) -> NDArray:
    estimate = left + above - corner
    by_left, by_above, by_corner = (abs(estimate - one) for one in (left, above, corner))
    return np.where(
        (by_left <= by_above) & (by_left <= by_corner), left, np.where(by_above <= by_corner, above, corner)
    )


def _packed(row: Samples, depth: int) -> NDArray[np.uint8]:
    """Bytes of a row `[W, C]`."""
    values = row.reshape(-1)
    if depth == 16:
        return np.frombuffer(values.astype(">u2").tobytes(), np.uint8)
    if depth == 8:
        return values.astype(np.uint8)
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(-1).astype(np.uint8))
