"""Pillow's image ──▶ pixels in the bundle's channels, what is transparent laid over its background."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.errors import BadImage
from models.imaging.types import Pixels
from models.manifest import InputSpec

_STRIP_PIXELS = 1 << 18  # of a large image are converted at once, so that no step holds another copy of all of it


def to_array(image: Image.Image, spec: InputSpec) -> Pixels:
    """The image in the bundle's channels, `[H, W, C]`; a large one in strips."""
    rows = _STRIP_PIXELS // image.width + 1
    if rows >= image.height:
        array = np.asarray(_to_mode(image, spec))
        return array.reshape(*array.shape[:2], spec.channels)
    array = np.empty((image.height, image.width, spec.channels), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = np.asarray(_to_mode(image.crop((0, top, image.width, bottom)), spec))
        array[top:bottom] = strip.reshape(*strip.shape[:2], spec.channels)
    return array


def _to_mode(image: Image.Image, spec: InputSpec) -> Image.Image:
    mode = "L" if spec.channels == 1 else "RGB"
    if image.mode == "P" and image.palette is None:
        raise BadImage("damaged png image: its palette is missing")
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip at 255
        image = Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    elif image.has_transparency_data:
        level = spec.background
        backdrop = Image.new("RGBA", image.size, (level, level, level, 255))
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)
