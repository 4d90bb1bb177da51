"""PNG of 16 bits a sample ──▶ pixels of 8 bits, for images whose low bytes matter.

Pillow reads only the high bytes of colours. But a transparent level is compared by all 16 bits, and blending half
transparent pixels from high bytes is off by 2 levels. So both bytes are read, in two passes if Pillow has no mode that
holds them. Opaque RGB is left to Pillow: its high byte is within one level.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.channels import strips, to_array
from models.imaging.png.png_chunks import GREY_ALPHA, RGB, RGBA, Chunks, Layout
from models.imaging.png.png_rows import read_rows, rows_bytes
from models.imaging.types import Pixels

Samples = NDArray[np.uint16]

_LOW_BYTES = {
    RGB: "RGB;16L",
    RGBA: "RGBA;16L",
}  # raw modes that give the low bytes; those in `MODES` give the high ones
_HIGHEST = 65535


def is_deep(chunks: Chunks) -> bool:
    """Whether this module decodes the image."""
    return chunks.layout.depth == 16 and bool(chunks.layout.colour != RGB or chunks.transparency)


def reads_twice(chunks: Chunks) -> bool:
    """Whether the image takes two passes."""
    return is_deep(chunks) and chunks.layout.colour in _LOW_BYTES


def decode(chunks: Chunks, rows: bytes, spec: InputSpec) -> Pixels:
    """Decodes the compressed rows to pixels `[H, W, C]`, with transparency blended over the background."""
    width, height, _, colour, *_ = chunks.layout
    if colour in _LOW_BYTES:
        stored = _inflated(chunks.layout, rows)
        images = [read_rows(chunks.layout, stored), read_rows(chunks.layout, stored, _LOW_BYTES[colour])]
    else:
        images = [read_rows(chunks.layout, rows)]
    pixels = np.empty((height, width, spec.channels), np.uint8)
    for top, bottom in strips(width, height):
        samples = _samples([np.asarray(image.crop((0, top, width, bottom))) for image in images])
        shown = _over_background(samples, chunks, spec.background)
        pixels[top:bottom] = to_array(Image.fromarray(shown), spec)
    return pixels


def _inflated(layout: Layout, rows: bytes) -> bytes:
    """The rows as an uncompressed zlib stream, so that two passes inflate them only once."""
    inflater = zlib.decompressobj()
    size_bytes = rows_bytes(layout.width, layout.height, layout.bits, interlaced=layout.interlace == 1)
    inflated = inflater.decompress(rows, size_bytes)
    inflater.decompress(inflater.unconsumed_tail, 1)  # the checksum after them
    return zlib.compress(inflated, 0)


def _samples(read: list[NDArray[np.uint8] | Samples]) -> Samples:
    """Samples `[H, W, C]` from one or two of Pillow's arrays."""
    first, *low = read
    if low:
        return (first.astype(np.uint16) << np.uint16(8)) | low[0]
    levels = first[:, :, None] if first.dtype == np.uint16 else first.view(">u2")
    return levels.astype(np.uint16, copy=False)


def _over_background(samples: Samples, chunks: Chunks, background: int) -> Pixels:
    """Blends over the background and rounds to 8 bits, `[H, W]` or `[H, W, 3]`."""
    if chunks.layout.colour in (GREY_ALPHA, RGBA):
        opacity = samples[:, :, -1:] / np.float32(_HIGHEST)
        levels = samples[:, :, :-1] / np.float32(257) * opacity + background * (1 - opacity)
        shown = np.rint(levels).astype(np.uint8)
    else:
        shown = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
        if chunks.transparency:
            shown[(samples == np.frombuffer(chunks.transparency, ">u2")).all(axis=-1)] = background
    return shown[:, :, 0] if shown.shape[2] == 1 else shown
