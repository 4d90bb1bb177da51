"""PNG of 16 bits a sample ──▶ pixels of 8 bits, where the low bytes matter.

Pillow gives the high bytes of colours alone. Transparency of one level compares all 16 bits; and what is half
transparent, blended from high bytes, is off by 2 levels. So both bytes are read, in two passes where Pillow has no mode
that holds them all. Opaque RGB is left to Pillow: its high byte is within a level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.imaging.channels import strips, to_array
from models.imaging.png_chunks import GREY_ALPHA, RGB, RGBA, Chunks
from models.imaging.png_rows import read_rows
from models.imaging.types import Pixels
from models.manifest import InputSpec

Samples = NDArray[np.uint16]

_LOW_BYTES = {RGB: "RGB;16L", RGBA: "RGBA;16L"}  # modes of rows; those of `MODES` leave these bytes out
_HIGHEST = 65535


def is_deep(chunks: Chunks) -> bool:
    """Whether an image is decoded here."""
    return chunks.layout.depth == 16 and bool(chunks.layout.colour != RGB or chunks.transparency)


def reads_twice(chunks: Chunks) -> bool:
    """Whether its rows are inflated twice."""
    return is_deep(chunks) and chunks.layout.colour in _LOW_BYTES


def decode(chunks: Chunks, rows: bytes, spec: InputSpec) -> Pixels:
    """Pixels `[H, W, C]` of the compressed rows, what is transparent laid over the background."""
    width, height, _, colour, *_ = chunks.layout
    images = [read_rows(chunks.layout, rows)]
    if colour in _LOW_BYTES:
        images.append(read_rows(chunks.layout, rows, _LOW_BYTES[colour]))
    pixels = np.empty((height, width, spec.channels), np.uint8)
    for top, bottom in strips(width, height):
        samples = _samples([np.asarray(image.crop((0, top, width, bottom))) for image in images])
        shown = _over_background(samples, chunks, spec.background)
        pixels[top:bottom] = to_array(Image.fromarray(shown), spec)
    return pixels


def _samples(read: list[NDArray[np.uint8] | Samples]) -> Samples:
    """`[H, W, C]` from what Pillow read."""
    first, *low = read
    if low:
        return (first.astype(np.uint16) << np.uint16(8)) | low[0]
    levels = first[:, :, None] if first.dtype == np.uint16 else first.view(">u2")
    return levels.astype(np.uint16, copy=False)


def _over_background(samples: Samples, chunks: Chunks, background: int) -> Pixels:
    """`[H, W]` or `[H, W, 3]`, rounded to 8 bits."""
    if chunks.layout.colour in (GREY_ALPHA, RGBA):
        colours, opacity = samples[:, :, :-1], samples[:, :, -1:]
    else:
        levels = np.frombuffer(chunks.transparency, ">u2")
        clear = (samples == levels).all(axis=-1, keepdims=True) if levels.size else np.zeros(1, bool)
        colours, opacity = samples, np.where(clear, 0, _HIGHEST)
    shares = opacity / _HIGHEST
    shown = np.rint((colours * shares + background * 257 * (1 - shares)) / 257).astype(np.uint8)
    return shown[:, :, 0] if shown.shape[2] == 1 else shown
