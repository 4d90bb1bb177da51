"""TIFF, BMP, GIF, AVIF, HEIC ──▶ bytes that `models.imaging.decode` takes: for training and scoring, not for serving.

What is not JPEG, PNG or WebP is decoded by Pillow, turned upright and written as PNG, without loss: a model then sees
just what it would if the file had been converted before it was sent. Of several pages or frames the first is taken.
"""

from __future__ import annotations

import importlib
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, TiffImagePlugin, features

from models.errors import BadImage, ClientError, TooLarge, UnsupportedType
from models.imaging.decode import DEFAULT_MAX_PIXELS
from models.imaging.exif import orientation
from models.imaging.fit import upright

if TYPE_CHECKING:
    from collections.abc import Callable

_PNG_LEVEL = 1  # of deflate: the PNG is decoded once and thrown away
_FTYP = slice(4, 8)  # where the first box of an ISO base media file has its type, ISO 14496-12
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})
_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 254, 258, 262, 339  # tags of TIFF 6.0
_REDUCED = 1  # bit of the subfile's type: a smaller version of another page, as the first page of most camera raws is
_WHITE_IS_ZERO = 0
_UNSIGNED, _UNDEFINED = 1, 4  # sample formats that are levels of light
_KEPT_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})  # that PNG has
_MODES = {"I;16B": "I;16", "La": "LA", "PA": "RGBA", "RGBX": "RGB", "RGBa": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}


def servable(data: bytes) -> tuple[bytes, str]:
    """Bytes of an image that `decode` takes, and the type that they were converted from.

    The type is `tiff`, `bmp`, `gif`, `avif` or `heic`; it is empty, and the bytes are the same, where nothing had to be
    done, or nothing could be: what `decode` makes of other bytes is for it to say.

    Raises:
        BadImage: damaged.
        TooLarge: more than `DEFAULT_MAX_PIXELS` pixels by its header.
        UnsupportedType: samples that are no levels of 1 to 16 bits, such as floats; HEIC without pillow-heif.
    """
    name = foreign_type(data)
    if not name:
        return data, ""
    try:
        picture = _READERS[name](data)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    except ClientError:
        raise
    except Exception as error:  # a damaged file makes a decoder raise anything
        raise BadImage(f"damaged {name} image of {len(data)} bytes: {error}") from error
    return buffer.getvalue(), name


def foreign_type(data: bytes) -> str:
    """The type of an image that has to be converted, from its first bytes; empty for all others."""
    if data.startswith(tuple(TiffImagePlugin.PREFIXES)):
        return "tiff"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return _boxed_type(data) if data[_FTYP] == b"ftyp" else ""


def _boxed_type(data: bytes) -> str:
    """AVIF or HEIC by the brands of the first box; empty for a film."""
    box = data[8 : int.from_bytes(data[:4], "big")]
    brands = {box[:4], *(box[start : start + 4] for start in range(8, len(box), 4))}
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS else ""


def _from_tiff(data: bytes) -> Image.Image:
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    tags = image.tag_v2
    if tags.get(_SUBFILE, 0) & _REDUCED:
        raise UnsupportedType("the first page of the tiff image is a preview, as in a camera's raw file; convert it")
    formats, bits = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)), tags.get(_BITS, (1,))
    if image.mode in ("F", "I", "LAB") or not {_UNSIGNED, _UNDEFINED}.issuperset(formats):
        raise UnsupportedType(
            f"tiff image of mode {image.mode} (samples of {bits[0]} bits, format {formats[0]}): save it with levels of "
            "8 or 16 bits, in grey or RGB"
        )
    is_inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    picture = _loaded(image)  # which turns it upright
    if picture.mode.startswith("I;16"):
        return _grey16(picture, 12 if bits == (12,) else 16, is_inverted=is_inverted)
    return _of_png_mode(picture)


def _grey16(image: Image.Image, bits: int, *, is_inverted: bool) -> Image.Image:
    """16 bits from 12 or 16, black being 0: Pillow leaves both as they are stored."""
    levels = np.asarray(image).astype(np.uint32) * 65535 // (2**bits - 1)
    return Image.fromarray((65535 - levels if is_inverted else levels).astype(np.uint16))


def _from_bmp(data: bytes) -> Image.Image:
    return _of_png_mode(_loaded(BmpImagePlugin.BmpImageFile(io.BytesIO(data))))


def _from_gif(data: bytes) -> Image.Image:
    """The first frame, transparent where it does not cover the picture, as browsers show it."""
    image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    _check_size(image)
    covered = image.tile[0].extents if image.tile else None
    frame = _loaded(image)
    if covered is None or covered == (0, 0, *image.size):
        return frame.convert("RGBA") if "transparency" in frame.info else _of_png_mode(frame)
    picture = Image.new("RGBA", frame.size)
    picture.paste(frame.convert("RGBA").crop(covered), covered)
    return picture


def _from_avif(data: bytes) -> Image.Image:
    if not features.check("avif"):
        raise UnsupportedType("avif image, which this build of Pillow cannot decode; install Pillow's own wheel")
    return _turned(_loaded(AvifImagePlugin.AvifImageFile(io.BytesIO(data))))


def _from_heic(data: bytes) -> Image.Image:
    try:
        pillow_heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnsupportedType("heic image; install the extra heic (pip install '.[heic]') or convert it") from error
    return _turned(_loaded(pillow_heif.HeifImageFile(io.BytesIO(data))))


_READERS: dict[str, Callable[[bytes], Image.Image]] = {
    "tiff": _from_tiff,
    "bmp": _from_bmp,
    "gif": _from_gif,
    "avif": _from_avif,
    "heic": _from_heic,
}


def _loaded(image: Image.Image) -> Image.Image:
    _check_size(image)
    image.load()
    return image


def _check_size(image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > DEFAULT_MAX_PIXELS:
        raise TooLarge(
            f"the {(image.format or '').lower()} image has {image.width}x{image.height} = {pixels} pixels; "
            f"the limit is {DEFAULT_MAX_PIXELS}"
        )


def _turned(image: Image.Image) -> Image.Image:
    """Upright; its own rotation boxes were applied or written into its EXIF by the decoder."""
    return upright(_of_png_mode(image), orientation(image.info.get("exif", b"")))


def _of_png_mode(image: Image.Image) -> Image.Image:
    return image if image.mode in _KEPT_MODES else image.convert(_MODES.get(image.mode, "RGB"))
