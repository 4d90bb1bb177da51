"""pixels as stored ──▶ upright pixels of the bundle's size: stretched, padded or cropped."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.exif import SIDEWAYS, UPRIGHT
from models.imaging.types import Header, Pixels

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


_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turns an image upright by its EXIF orientation, 1 to 8."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def fit(array: Pixels, header: Header, spec: InputSpec) -> Pixels:
    """Turns pixels `[h, w, C]` upright and brings them to the bundle's size, uint8 `[H, W, C]`.

    Args:
        array: the pixels as stored, in the bundle's channels, at the fraction that `divisor_of` gives.
        header: of the image.
        spec: the bundle's size, and how images of another aspect ratio are fitted.
    """
    if header.orientation == UPRIGHT and array.shape[:2] == (spec.height, spec.width) and spec.center == 1:
        return array
    image = Image.fromarray(array[:, :, 0] if spec.channels == 1 else array)
    if spec.fit == "stretch":
        image = upright(image, header.orientation)
        if image.size != (spec.width, spec.height):
            image = image.resize((spec.width, spec.height), _FILTERS[spec.resize])
    else:
        image = upright(_scaled(image, header, spec), header.orientation)
    return np.asarray(_padded(image, spec)).reshape(spec.height, spec.width, spec.channels)


def divisor_of(header: Header, spec: InputSpec) -> int:
    """Divisor of a JPEG's sides when it is decoded: the header's, or a larger one if the bundle decodes fractions."""
    if spec.decoder == "full" or header.type != "jpeg":
        return header.divisor
    needed = [side / spec.center for side in needed_size(header, spec)]
    for divisor in (8, 4, 2):
        height, width = -(-header.height // divisor), -(-header.width // divisor)
        if 8 * height >= 7 * needed[0] and 8 * width >= 7 * needed[1]:
            return max(divisor, header.divisor)
    return header.divisor


def _scaled(image: Image.Image, header: Header, spec: InputSpec) -> Image.Image:
    """Scales the image as stored; the box is computed from the full size, as a fraction's sides are rounded up."""
    down, across = needed_size(header, spec)
    width, height = header.width, header.height
    box = _crop_box(width, height, across / down, spec.center) if spec.fit == "crop" else (0, 0, width, height)
    if image.size == (across, down) and box == (0, 0, width, height):
        return image
    divisor = divisor_of(header, spec)
    left, top, right, bottom = (edge / divisor for edge in box)
    return image.resize((across, down), _FILTERS[spec.resize], (left, top, right, bottom))


def fitted_size(width: int, height: int, spec: InputSpec) -> tuple[int, int]:
    """Width and height that an upright image takes in the bundle's input: all of it, unless it is padded."""
    if spec.fit != "pad":
        return spec.width, spec.height
    if width * spec.height >= height * spec.width:
        return spec.width, max(1, _rounded(height * spec.width, width))
    return max(1, _rounded(width * spec.height, height)), spec.height


def needed_size(header: Header, spec: InputSpec) -> tuple[int, int]:
    """Height and width, as stored, that the decoded image needs.

    A cropped image must cover the whole input.
    """
    width, height = fitted_size(*header.upright_size, spec)
    return (width, height) if header.orientation in SIDEWAYS else (height, width)


def _rounded(numerator: int, denominator: int) -> int:
    """Divides and rounds to the nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _crop_box(width: int, height: int, ratio: float, center: float) -> tuple[float, float, float, float]:
    """A share `center` of the largest centred box of a ratio of width to height: left, top, right, bottom."""
    wide = center * min(float(width), height * ratio)
    high = center * min(float(height), width / ratio)
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, width - left, height - top


def _padded(image: Image.Image, spec: InputSpec) -> Image.Image:
    """Centres the image in the input; an odd pixel goes to the right or the bottom."""
    if image.size == (spec.width, spec.height):
        return image
    canvas = Image.new(image.mode, (spec.width, spec.height), (spec.background,) * spec.channels)
    canvas.paste(image, ((spec.width - image.width) // 2, (spec.height - image.height) // 2))
    return canvas
