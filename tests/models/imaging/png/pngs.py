"""samples ──▶ PNG, byte by byte and without a library's help; and what the PNG specification says it shows."""

from __future__ import annotations

import itertools
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from tests.chaos.inputs.pictures import png
from tests.models.encoded import png_chunk

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
END = png_chunk(b"IEND", b"")
# First column and row, and distance of columns and rows, of each pass; PNG specification, section 8.2.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Samples = NDArray[np.int64]


def noise(depth: int, colour: int, size: tuple[int, int] = (13, 11), seed: int = 0, levels: int = 1 << 16) -> Samples:
    """Random samples `[H, W, C]`, of at most so many levels, so that some pixels are alike."""
    dice = np.random.default_rng((seed, depth, colour))
    known = dice.integers(0, 1 << depth, (min(levels, 1 << depth), CHANNELS[colour]))
    return known[dice.integers(0, len(known), size)]


def write(
    samples: Samples, depth: int, colour: int, *before: bytes, interlace: int = 0, pieces: int = 1, after: bytes = b""
) -> bytes:
    """A PNG of the samples `[H, W, C]` with chunks before and after its rows, which are in so many pieces."""
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    parts = [samples[row::rows, column::columns] for column, row, columns, rows in passes]
    packed = zlib.compress(b"".join(_row(line, depth) for part in parts for line in part if part.size))
    cuts = [len(packed) * piece // pieces for piece in range(pieces + 1)]
    rows = [png_chunk(b"IDAT", packed[start:end]) for start, end in itertools.pairwise(cuts)]
    height, width, _ = samples.shape
    return png(width, height, *before, *rows, after, END, depth=depth, colour=colour, interlace=interlace)


def _row(line: Samples, depth: int) -> bytes:
    """A row behind its filter, none."""
    flat = line.ravel()
    bits = flat[:, None] >> np.arange(depth - 1, -1, -1) & 1
    return b"\0" + np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def levels(*values: int) -> bytes:
    """A tRNS chunk of a level for each sample."""
    return png_chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def shown(colours: NDArray[np.float64], opacity: NDArray[np.float64], background: int) -> NDArray[np.float64]:
    """Colours `[H, W, C]`, 0 to 255, of an opacity `[H, W, 1]`, 0 to 1, over the background; not rounded."""
    return colours * opacity + background * (1 - opacity)
