"""TIFF, BMP, GIF, AVIF, HEIC ──▶ bytes that `models.imaging.decode` takes: for training and scoring, not for serving.

Pillow decodes the file, and it is turned upright and written as PNG without loss. The model then sees what it would see
if a client had converted the file before sending it. Of several pages or frames, the first is used.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable

from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, ImageFile, features

from models.errors import BadImage, ClientError, TooLarge, UnsupportedType
from models.imaging import foreign, tiff, unsupported
from models.imaging.decode import DEFAULT_MAX_PIXELS
from models.imaging.exif import orientation
from models.imaging.resizing import upright

_PNG_LEVEL = 1  # of compression: the PNG is decoded once and thrown away
_TYPES = {foreign.BMP: "bmp", foreign.GIF: "gif", foreign.AVIF: "avif", foreign.HEIC: "heic"}
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_MODES = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}  # for modes that PNG does not have; all others become RGB


def servable(data: bytes) -> tuple[bytes, str]:
    """Converts an image to bytes that `decode` takes, and names the type that it was converted from.

    The type is `tiff`, `bmp`, `gif`, `avif` or `heic`. For all others it is empty and the bytes are unchanged; if
    something is wrong with those, `decode` says so.

    Raises:
        BadImage: damaged.
        TooLarge: more than `DEFAULT_MAX_PIXELS` pixels by its header.
        UnsupportedType: a TIFF whose samples are not levels of 1 to 16 bits; a HEIC without the extra `heic`.
    """
    type_ = foreign_type(data)
    if not type_:
        return data, ""
    try:
        png = _as_png(_READERS[type_](data))
    except ClientError:
        raise
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise BadImage(f"damaged {type_} image of {len(data)} bytes: {error}") from error
    return png, type_


def foreign_type(data: bytes) -> str:
    """Type of an image that has to be converted, by its first bytes; empty for all others."""
    if data.startswith(tiff.PREFIXES):  # also camera raw files, which `tiff` refuses by their tags
        return "tiff"
    kind = unsupported.recognise(data)
    return _TYPES.get(kind, "") if kind else ""


def _as_png(picture: Image.Image) -> bytes:
    picture.info = {
        name: value for name, value in picture.info.items() if name == "transparency"
    }  # no EXIF, no profile
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _from_tiff(data: bytes) -> Image.Image:
    page = tiff.open_page(data)
    _load(page)
    return _of_png_mode(tiff.levels(page))


def _from_bmp(data: bytes) -> Image.Image:
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    _load(image)
    return _of_png_mode(image)


def _from_gif(data: bytes) -> Image.Image:
    """The first frame, transparent where it does not cover the image, as browsers show it."""
    frame = GifImagePlugin.GifImageFile(io.BytesIO(data))
    covered = frame.tile[0].extents if frame.tile else None
    _load(frame)
    if covered is None or covered == (0, 0, *frame.size):
        return _of_png_mode(frame)
    picture = Image.new("RGBA", frame.size)
    picture.paste(frame.convert("RGBA").crop(covered), covered)
    return picture


def _from_avif(data: bytes) -> Image.Image:
    if not features.check("avif"):
        raise UnsupportedType("avif image, which this build of Pillow cannot decode; install Pillow's own wheel")
    return _turned(AvifImagePlugin.AvifImageFile(io.BytesIO(data)))


def _from_heic(data: bytes) -> Image.Image:
    try:
        pillow_heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnsupportedType(f"heic image; pip install '.[heic]', or convert it to JPEG ({error})") from error
    return _turned(pillow_heif.HeifImageFile(io.BytesIO(data)))


_READERS: dict[str, Callable[[bytes], Image.Image]] = {
    "tiff": _from_tiff,
    "bmp": _from_bmp,
    "gif": _from_gif,
    "avif": _from_avif,
    "heic": _from_heic,
}


def _load(image: ImageFile.ImageFile) -> None:
    """Decodes an image within the limit.

    Raises:
        TooLarge: more than `DEFAULT_MAX_PIXELS` pixels.
    """
    pixels = image.width * image.height
    if pixels > DEFAULT_MAX_PIXELS:
        raise TooLarge(
            f"the image has {image.width}x{image.height} = {pixels} pixels; the limit is {DEFAULT_MAX_PIXELS}, "
            "and higher for a JPEG, which is decoded at a fraction of its size"
        )
    image.load()


def _turned(image: ImageFile.ImageFile) -> Image.Image:
    """Decodes and turns upright; the decoder has applied the container's rotation, or put it into the EXIF."""
    _load(image)
    return upright(_of_png_mode(image), orientation(image.info.get("exif") or b""))


def _of_png_mode(image: Image.Image) -> Image.Image:
    """Converts to a mode that PNG has, keeping transparency."""
    return image if image.mode in _PNG_MODES else image.convert(_MODES.get(image.mode, "RGB"))
