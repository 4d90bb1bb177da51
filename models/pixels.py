"""bytes ──decode──▶ pixels: the one decoder of the project, used by training and serving alike.

Order: type from the bytes, dimensions from the header, decode, channels, EXIF orientation, resize.
JPEG goes through libjpeg-turbo (simplejpeg), all else through Pillow.

Where the bundle says so, large JPEGs are decoded at a fraction of their size, which the decoder reaches by computing
fewer pixels. Of libjpeg's eighths only 1/2, 1/4 and 1/8 have fast code: of a photograph of 640x427 pixels 1/1 takes
0.73 ms, 5/8 0.93 ms, 1/2 0.60 ms, 3/8 0.65 ms, 1/4 0.56 ms (libjpeg-turbo 3.1, AMD EPYC with AVX-512, one thread), and
what is left to resize saves more. A side may end up to an eighth too short and is then enlarged: it is
that which lets 640x427 be decoded at 1/2 for an input of 224x224, and EfficientNet-Lite0's embeddings of photographs
move less by it (cosine distance 0.008 on average, 0.014 at most, at 6/7 of the side) than by decoding exactly at the
input's size instead of above it (0.016 and 0.028).

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
from models.exif import UPRIGHT, orientation
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

_DIVISORS = (8, 4, 2)
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations by which width and height change places
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
        array, turned = decode_type(data, header, spec)
    except _DAMAGE as error:
        raise BadImage(f"damaged {header.type} image of {len(data)} bytes: {error}") from error
    return _fit(array, turned, spec)


def _decode_jpeg(data: bytes, header: Header, spec: InputSpec) -> tuple[Pixels, int]:
    """Pixels as they are stored, `[H, W, C]`, and EXIF orientation."""
    exif = data.find(EXIF_PREFIX)
    turned = orientation(data[exif : exif + _EXIF_BYTES]) if exif >= 0 else UPRIGHT
    height, width = least_size(header, turned, spec)
    # strict: libjpeg's warnings are errors, since half a file would otherwise give half an image
    if header.colorspace not in ("CMYK", "YCCK"):
        colours = "GRAY" if spec.channels == 1 else "RGB"
        return simplejpeg.decode_jpeg(data, colours, strict=True, min_height=height, min_width=width), turned
    inks = simplejpeg.decode_jpeg(
        data, "CMYK", strict=True, fastdct=False, fastupsample=False, min_height=height, min_width=width
    )
    np.invert(inks, out=inks)  # as Adobe's programs write it, 255 is no ink
    return _to_array(Image.fromarray(inks, "CMYK"), spec), turned


def least_size(header: Header, turned: int, spec: InputSpec) -> tuple[int, int]:
    """Least height and width, as stored, that simplejpeg has to reach when it decodes a JPEG; zeros for its full size.

    They are those of one of the fractions rounded up, as libjpeg rounds, so that simplejpeg, which takes the smallest
    of libjpeg's scales that is not below them, takes just that one.
    """
    needed = (spec.width, spec.height) if turned in _SIDEWAYS else (spec.height, spec.width)
    for divisor in _DIVISORS if spec.decoder == "fraction" else ():
        height, width = -(-header.height // divisor), -(-header.width // divisor)
        if 8 * height >= 7 * needed[0] and 8 * width >= 7 * needed[1]:
            return height, width
    return 0, 0


def _decode_with_pillow(data: bytes, header: Header, spec: InputSpec) -> tuple[Pixels, int]:
    encoded = keep_what_pixels_need(data) if header.type == "png" else data
    with _READERS[header.type](io.BytesIO(encoded)) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged {header.type} image: it has two sizes, {sizes}")
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedType(f"animated {header.type}; send a single frame")
        image.load()
        return _to_array(image, spec), orientation(image.info.get("exif", b""))


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
