"""bytes ──decode──▶ pixels: the one decoder of the project, used by training and serving alike.

Order: type from the bytes, dimensions from the header, decode, channels, EXIF orientation, resize.
JPEG goes through libjpeg-turbo (simplejpeg), all else through Pillow.

An image at the default limit of pixels takes at most DECODE_MIB of memory while it is decoded, beside its own bytes;
what bounds its CPU is said in `models.work`.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.chunks import keep_what_pixels_need
from models.errors import BadImage, TooLarge, UnsupportedType
from models.exif import PREFIX as EXIF_PREFIX
from models.exif import orientation
from models.headers import Header, read_header
from models.manifest import InputSpec
from models.rows import WholePng

Pixels = NDArray[np.uint8]

DEFAULT_MAX_PIXELS = 25_000_000
DECODE_MIB = 512
"""What decoding one image of `DEFAULT_MAX_PIXELS` holds at most. Measured by growth of the process, Pillow 13: WebP of
65,536 groups of codes 458 MiB, other WebP 392, CMYK JPEG 287, other JPEG 215, PNG 186; `tests/chaos/test_memory.py`
measures the worst of them anew."""
_EXIF_BYTES = 64 * 1024  # a JPEG segment is no longer
_STRIP_PIXELS = 1 << 18  # of a large image are converted at once, so that no step holds another copy of all of it
# The plug-ins themselves: `Image.open` adds 2 µs to a 28x28 PNG and hides why a file is refused.
_READERS: dict[str, type[ImageFile]] = {"png": WholePng, "webp": WebPImageFile}
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

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


def read_checked_header(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Reads the header and refuses what is over the limit.

    Raises:
        BadImage: empty or damaged.
        UnsupportedType: not JPEG, PNG or WebP; animated.
        TooLarge: more than `max_pixels` pixels by its header, or as much work as more than so many.
    """
    header = read_header(data)
    if header.work_pixels > max_pixels:
        work = f", which its shape and coding make as much work as {header.work_pixels}"
        raise TooLarge(
            f"the image has {header.width}x{header.height} = {header.pixels} pixels"
            f"{work if header.pixels <= max_pixels else ''}; the limit is {max_pixels}"
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
        decode_type = _decode_jpeg if header.type == "jpeg" else _decode_with_pillow
        array, exif = decode_type(data, header, spec)
    except _DAMAGE as error:
        raise BadImage(f"damaged {header.type} image of {len(data)} bytes: {error}") from error
    return _fit(array, orientation(exif), spec)


def _decode_jpeg(data: bytes, header: Header, spec: InputSpec) -> tuple[Pixels, bytes]:
    """Pixels as they are stored, `[H, W, C]`, and EXIF."""
    # strict: libjpeg's warnings are errors, since half a file would otherwise give half an image
    if header.colorspace in ("CMYK", "YCCK"):
        inks = simplejpeg.decode_jpeg(data, "CMYK", strict=True, fastdct=False, fastupsample=False)
        np.invert(inks, out=inks)  # as Adobe's programs write it, 255 is no ink
        array = _to_array(Image.fromarray(inks, "CMYK"), spec)
    else:
        array = simplejpeg.decode_jpeg(data, "GRAY" if spec.channels == 1 else "RGB", strict=True)
    exif = data.find(EXIF_PREFIX)
    return array, data[exif : exif + _EXIF_BYTES] if exif >= 0 else b""


def _decode_with_pillow(data: bytes, header: Header, spec: InputSpec) -> tuple[Pixels, bytes]:
    encoded = keep_what_pixels_need(data) if header.type == "png" else data
    with _READERS[header.type](io.BytesIO(encoded)) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged {header.type} image: it has two sizes, {sizes}")
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedType(f"animated {header.type}; send a single frame")
        image.load()
        return _to_array(image, spec), image.info.get("exif", b"")


def _to_array(image: Image.Image, spec: InputSpec) -> Pixels:
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


def _fit(array: Pixels, turned: int, spec: InputSpec) -> Pixels:
    """Upright and of the bundle's size."""
    if turned not in _UPRIGHT and array.shape[:2] == (spec.height, spec.width):
        return array
    image = Image.fromarray(array[:, :, 0] if spec.channels == 1 else array)
    if turned in _UPRIGHT:
        image = image.transpose(_UPRIGHT[turned])
    if image.size != (spec.width, spec.height):
        image = image.resize((spec.width, spec.height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(spec.height, spec.width, spec.channels)
