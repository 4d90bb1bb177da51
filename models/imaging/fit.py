"""pixels as they are stored ──▶ pixels upright and of the bundle's size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.imaging.types import Pixels
from models.manifest import InputSpec

# How an image is turned upright, by EXIF orientation (1 is upright already).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image, turned: int) -> Image.Image:
    """The image turned by an EXIF orientation, 1 to 8."""
    return image.transpose(_UPRIGHT[turned]) if turned in _UPRIGHT else image


def fit(array: Pixels, turned: int, spec: InputSpec) -> Pixels:
    """Upright and of the bundle's size, `[H, W, C]`."""
    if turned not in _UPRIGHT and array.shape[:2] == (spec.height, spec.width):
        return array
    image = upright(Image.fromarray(array[:, :, 0] if spec.channels == 1 else array), turned)
    if image.size != (spec.width, spec.height):
        image = image.resize((spec.width, spec.height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(spec.height, spec.width, spec.channels)
