"""Pillow's image ──▶ pixels in the bundle's channels, with transparency blended over the background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.types import Pixels

_STRIP_PIXELS = 1 << 18  # a larger image is converted in strips, so that no step holds a second copy of all of it


def to_array(image: Image.Image, spec: InputSpec) -> Pixels:
    """Converts an image to the bundle's channels, uint8 `[H, W, C]`."""
    if image.width * image.height <= _STRIP_PIXELS:
        array = np.asarray(_to_mode(image, spec))
        return array.reshape(*array.shape[:2], spec.channels)
    array = np.empty((image.height, image.width, spec.channels), np.uint8)
    for top, bottom in strips(image.width, image.height):
        strip = np.asarray(_to_mode(image.crop((0, top, image.width, bottom)), spec))
        array[top:bottom] = strip.reshape(*strip.shape[:2], spec.channels)
    return array


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and end of each strip."""
    rows = _STRIP_PIXELS // width + 1
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _to_mode(image: Image.Image, spec: InputSpec) -> Image.Image:
    mode = "L" if spec.channels == 1 else "RGB"
    if image.has_transparency_data:
        level = spec.background
        backdrop = Image.new("RGBA", image.size, (level, level, level, 255))
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)
