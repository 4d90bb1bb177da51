"""TIFF ──▶ an upright Pillow image of its first page, if Pillow reads that kind correctly.

Pillow reads some kinds wrongly without an error (uncompressed 16-bit planes, uncompressed subsampled YCbCr), and for
others it only says that the mode is unknown. Both are refused by their tags.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from models.errors import BadImage, UnsupportedType

PREFIXES = tuple(TiffImagePlugin.PREFIXES)

# Tags of TIFF 6.0 and of its supplements.
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_SAMPLES, _PLANES, _EXTRA, _FORMAT, _SUBSAMPLING = 277, 284, 338, 339, 530
_WHITE_IS_ZERO, _YCBCR, _CIELAB = 0, 6, 8
_REDUCED = 1  # bit of _SUBFILE: a preview of another page, as the first page of most camera raw files is
_LEVELS = frozenset({1, 4})  # values of _FORMAT: unsigned integers, and undefined, which is read as unsigned
_NO_COMPRESSION, _SEPARATE, _UNSPECIFIED = 1, 2, 0
_MOST_SAMPLES = 6
_BIGTIFF, _BIG_ENDIAN_BIGTIFF = b"II+\0", b"MM\0+"
_WAY_OUT = "save it as PNG, or with 8 bits a sample in grey or RGB"


def open_page(data: bytes) -> TiffImagePlugin.TiffImageFile:
    """Opens the first page; loading it turns it upright.

    Raises:
        BadImage, and whatever Pillow raises: damaged.
        UnsupportedType: samples that are not levels of 1 to 16 bits (floats, signed numbers, CIELab), more than 6 of
            them a pixel, or a layout that Pillow cannot read; a preview of another page.
    """
    tags = _first_page(data)
    if reason := _refused(tags):
        raise UnsupportedType(f"tiff image of {_described(tags)}: {reason}; {_WAY_OUT}")
    try:
        return TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    except SyntaxError as error:
        raise UnsupportedType(f"tiff image of {_described(tags)}: {error}; {_WAY_OUT}") from error


def levels(page: TiffImagePlugin.TiffImageFile) -> Image.Image:
    """Scales a loaded page to its mode's whole range with black at 0; Pillow leaves 12 and 16 bits as stored."""
    if page.mode not in ("I;16", "I;16B"):
        return page
    most = 2**12 - 1 if page.tag_v2[_BITS] == (12,) else 2**16 - 1
    stored = np.asarray(page).astype(np.uint32) * (2**16 - 1) // most
    if page.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        stored = 2**16 - 1 - stored
    return Image.fromarray(stored.astype(np.uint16))


def _first_page(data: bytes) -> Mapping[int, Any]:
    if data.startswith(_BIG_ENDIAN_BIGTIFF):
        raise UnsupportedType(f"tiff image in big-endian BigTIFF; {_WAY_OUT}")
    stream = io.BytesIO(data)
    tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(16 if data.startswith(_BIGTIFF) else 8))
    stream.seek(tags.next)
    tags.load(stream)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise BadImage(f"damaged tiff image of {len(data)} bytes: its first page has no size")
    return tags


def _refused(tags: Mapping[int, Any]) -> str:
    """Reason why a page cannot be read; empty if it can."""
    bits, photometric = max(tags.get(_BITS, (1,))), tags.get(_PHOTOMETRIC)
    is_raw = tags.get(_COMPRESSION, _NO_COMPRESSION) == _NO_COMPRESSION
    is_planar = is_raw and tags.get(_PLANES, 1) == _SEPARATE
    if tags.get(_SUBFILE, 0) & _REDUCED:
        return "its first page is a preview of another, as in a camera's raw file"
    if not _LEVELS.issuperset(tags.get(_FORMAT, ())) or bits > 16 or photometric == _CIELAB:
        return "its samples are not levels of 1 to 16 bits"
    if tags.get(_SAMPLES, 1) > _MOST_SAMPLES:
        return f"more than {_MOST_SAMPLES} samples a pixel"
    if is_planar and (bits > 8 or _UNSPECIFIED in tags.get(_EXTRA, ())):
        return "its samples lie in planes of their own, without compression"
    if is_raw and photometric == _YCBCR and tags.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        return "its colours are subsampled, without compression"
    return ""


def _described(tags: Mapping[int, Any]) -> str:
    bits = "+".join(str(bits) for bits in tags.get(_BITS, (1,)))
    return (
        f"{bits} bits a pixel (sample format {tags.get(_FORMAT, (1,))[0]}, colours {tags.get(_PHOTOMETRIC)}, "
        f"compression {tags.get(_COMPRESSION, _NO_COMPRESSION)})"
    )
