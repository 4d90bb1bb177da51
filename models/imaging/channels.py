"""Pillow's image ──▶ pixels in the bundle's channels, what is transparent laid over its background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.types import Pixels

_STRIP_PIXELS = 1 << 18  # of a large image are converted at once, so that no step holds another copy of all of it


def to_array(image: Image.Image, spec: InputSpec) -> Pixels:
    """The image in the bundle's channels, uint8 `[H, W, C]`; a large one in strips."""
    if image.width * image.height <= _STRIP_PIXELS:
        array = np.asarray(_to_mode(image, spec))
        return array.reshape(*array.shape[:2], spec.channels)
    array = np.empty((image.height, image.width, spec.channels), np.uint8)
    for top, bottom in strips(image.width, image.height):
        strip = np.asarray(_to_mode(image.crop((0, top, image.width, bottom)), spec))
        array[top:bottom] = strip.reshape(*strip.shape[:2], spec.channels)
    return array


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """First row and end of each strip of a large image."""
    rows = _STRIP_PIXELS // width + 1
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _to_mode(image: Image.Image, spec: InputSpec) -> Image.Image:
    mode = "L" if spec.channels == 1 else "RGB"
    if image.has_transparency_data:
        level = spec.background
        backdrop = Image.new("RGBA", image.size, (level, level, level, 255))
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)
