"""bytes ──decode──▶ pixels: the one decoder of the project, used by training and serving alike.

Order: type from the bytes, dimensions from the header, decode, EXIF orientation, channels, resize.
JPEG goes through libjpeg-turbo (simplejpeg) except CMYK, all else through Pillow.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.errors import BadImage, TooLarge, UnsupportedType
from models.exif import PREFIX as EXIF_PREFIX
from models.exif import orientation
from models.headers import Header, read_header
from models.manifest import InputSpec

Pixels = NDArray[np.uint8]

DEFAULT_MAX_PIXELS = 25_000_000
_EXIF_BYTES = 64 * 1024  # a JPEG segment is no longer
_PNG_END = b"IEND\xaeB`\x82"  # the last chunk's type and CRC; Pillow does not mind when it is missing
# The plug-ins themselves: `Image.open` adds 2 µs to a 28x28 PNG and hides why a file is refused.
_READERS: dict[str, type[ImageFile]] = {"jpeg": JpegImageFile, "png": PngImageFile, "webp": WebPImageFile}
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

# How an array [H, W, C] is turned upright, by EXIF orientation (1 is upright already).
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


def read_checked_header(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Reads the header and refuses what is over the limit.

    Raises:
        BadImage: empty or damaged.
        UnsupportedType: not JPEG, PNG or WebP; animated.
        TooLarge: more than `max_pixels` pixels by its header.
    """
    header = read_header(data)
    if header.pixels > max_pixels:
        raise TooLarge(
            f"the image has {header.width}x{header.height} = {header.pixels} pixels; the limit is {max_pixels}"
        )
    return header


def decode(data: bytes, spec: InputSpec, header: Header | None = None) -> Pixels:
    """Decodes an encoded image to uint8 `[spec.height, spec.width, spec.channels]`.

    Args:
        data: the encoded image.
        spec: the bundle's rule for channels, size and background.
        header: from `read_checked_header`, to spare reading it twice.

    Raises:
        BadImage, UnsupportedType, TooLarge: as `read_checked_header`, and BadImage for damage behind it.
    """
    header = header or read_checked_header(data)
    try:
        if header.type == "jpeg" and header.colorspace not in ("CMYK", "YCCK"):
            array = _decode_jpeg(data, spec)
        else:
            array = _decode_with_pillow(data, header, spec)
    except _DAMAGE as error:
        raise BadImage(f"damaged {header.type} image of {len(data)} bytes: {error}") from error
    return _resize(array, spec)


def _decode_jpeg(data: bytes, spec: InputSpec) -> Pixels:
    # strict: libjpeg's warnings are errors, since half a file would otherwise give half an image
    array = simplejpeg.decode_jpeg(data, "GRAY" if spec.channels == 1 else "RGB", strict=True)
    exif = data.find(EXIF_PREFIX)
    return array if exif < 0 else _upright(array, data[exif : exif + _EXIF_BYTES])


def _decode_with_pillow(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    if header.type == "png" and data.rfind(_PNG_END) < 0:
        raise BadImage(f"damaged png image of {len(data)} bytes: cut short, it has no end")
    with _READERS[header.type](io.BytesIO(data)) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged {header.type} image: it has two sizes, {sizes}")
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedType(f"animated {header.type}; send a single frame")
        image.load()
        array = np.asarray(_to_mode(image, spec))
        array = array.reshape(*array.shape[:2], spec.channels)
        return _upright(array, image.info["exif"]) if "exif" in image.info else array


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


def _upright(array: Pixels, exif: bytes) -> Pixels:
    turn = _UPRIGHT.get(orientation(exif))
    return np.ascontiguousarray(turn(array)) if turn else array


def _resize(array: Pixels, spec: InputSpec) -> Pixels:
    if array.shape[:2] == (spec.height, spec.width):
        return array
    image = Image.fromarray(array[:, :, 0] if spec.channels == 1 else array)
    resized = np.asarray(image.resize((spec.width, spec.height), Image.Resampling.BILINEAR))
    return resized.reshape(spec.height, spec.width, spec.channels)
