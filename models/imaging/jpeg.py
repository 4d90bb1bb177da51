"""JPEG ──▶ header and pixels, by libjpeg-turbo (simplejpeg).

Where the bundle says so, large JPEGs are decoded at a fraction of their size, which the decoder reaches by computing
fewer pixels. Of libjpeg's eighths only 1/2, 1/4 and 1/8 have fast code: of a photograph of 640x427 pixels 1/1 takes
0.73 ms, 5/8 0.93 ms, 1/2 0.60 ms, 3/8 0.65 ms, 1/4 0.56 ms (libjpeg-turbo 3.1, AMD EPYC with AVX-512, one thread), and
what is left to resize saves more. A side may end up to an eighth too short and is then enlarged: it is
that which lets 640x427 be decoded at 1/2 for an input of 224x224, and EfficientNet-Lite0's embeddings of photographs
move less by it (cosine distance 0.008 on average, 0.014 at most, at 6/7 of the side) than by decoding exactly at the
input's size instead of above it (0.016 and 0.028).
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from PIL import Image

from models.errors import BadImage, UnsupportedType
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.exif import PREFIX, UPRIGHT, orientation
from models.imaging.fit import needed_size
from models.imaging.types import Header, Pixels, checked
from models.manifest import InputSpec

SIGNATURE = b"\xff\xd8\xff"
_EXIF_BYTES = 64 * 1024  # a segment is no longer
_DIVISORS = (8, 4, 2)
# Each scan is a pass over the whole image, so a few KB of scans can cost seconds of CPU. libjpeg's standard scripts
# have 10 for colour and 18 for CMYK.
_MAX_SCANS = 64
# Of a JPEG of 10 MiB 161 can be of full length; 64 scans bring a table each.
_MAX_SEGMENTS = 320

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # FF 00 is a byte of coded data; 01, D0..D7 stand alone
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Frames in lossless, hierarchical or arithmetic coding, ITU T.81 table B.1: no browser shows them. Arithmetic coding
# has no end of its own, so that half a file would be an image, and codes pixels in next to no bytes.
_ODD_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged, or of more scans or segments than any has.
        UnsupportedType: arithmetically coded or lossless.
    """
    scans = count_scans(data)
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise BadImage(f"damaged JPEG header: {error}") from error
    exif = data.find(PREFIX)
    turned = orientation(data[exif : exif + _EXIF_BYTES]) if exif >= 0 else UPRIGHT
    extra_pixels = work.of_jpeg(int(width * height), scans)
    return checked(Header("jpeg", int(width), int(height), colorspace, extra_pixels, turned))


def decode(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Pixels as they are stored, `[H, W, C]`."""
    height, width = least_size(header, spec)
    # strict: libjpeg's warnings are errors, since half a file would otherwise give half an image
    if header.colorspace not in ("CMYK", "YCCK"):
        colours = "GRAY" if spec.channels == 1 else "RGB"
        pixels: Pixels = simplejpeg.decode_jpeg(data, colours, strict=True, min_height=height, min_width=width)
        return pixels
    inks = simplejpeg.decode_jpeg(
        data, "CMYK", strict=True, fastdct=False, fastupsample=False, min_height=height, min_width=width
    )
    np.invert(inks, out=inks)  # as Adobe's programs write it, 255 is no ink
    return to_array(Image.fromarray(inks, "CMYK"), spec)


def least_size(header: Header, spec: InputSpec) -> tuple[int, int]:
    """Least height and width, as stored, that simplejpeg has to reach when it decodes a JPEG; zeros for its full size.

    They are those of one of the fractions rounded up, as libjpeg rounds, so that simplejpeg, which takes the smallest
    of libjpeg's scales that is not below them, takes just that one.
    """
    needed = needed_size(header, spec)
    for divisor in _DIVISORS if spec.decoder == "fraction" else ():
        height, width = -(-header.height // divisor), -(-header.width // divisor)
        if 8 * height >= 7 * needed[0] and 8 * width >= 7 * needed[1]:
            return height, width
    return 0, 0


def count_scans(data: bytes) -> int:
    """Scans of the first image in `data`, whatever is embedded in its segments or follows it.

    Raises:
        BadImage: more than 64 scans or 320 segments.
        UnsupportedType: a frame that is neither baseline nor extended nor progressive, in Huffman coding.
    """
    scans, position = 0, 2
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.search(data, position)
        if marker is None:
            return scans
        position = marker.end()
        kind = data[position - 1]
        if kind == _END_OF_IMAGE:
            return scans
        if kind in _ODD_FRAMES:
            raise UnsupportedType(f"JPEG with a frame of type 0xff{kind:02x}; send a baseline or progressive JPEG")
        scans += kind == _START_OF_SCAN
        if scans > _MAX_SCANS:
            raise BadImage(f"JPEG of {scans} or more scans; the limit is {_MAX_SCANS}")
        position += int.from_bytes(data[position : position + 2], "big")
    raise BadImage(f"JPEG of more than {_MAX_SEGMENTS} segments; the limit is {_MAX_SEGMENTS}")
