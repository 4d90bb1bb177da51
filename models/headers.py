"""bytes ──▶ `Header`: type and dimensions of an encoded image, read before anything is allocated.

The type comes from the first bytes, never from what the client says of them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

import simplejpeg

from models.errors import BadImage, UnsupportedType

ImageType = Literal["jpeg", "png", "webp"]

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WEBP_HEADER_BYTES = {b"VP8X": 30, b"VP8 ": 30, b"VP8L": 25}  # by first chunk, up to and with the size

# Each scan of a JPEG is a pass over the whole image, so a few KB of scans can cost seconds of CPU. libjpeg's
# standard progressive script has 10.
_MAX_SCANS = 64
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_SCAN = re.compile(rb"\xff\xda")  # bytes.count takes three times as long
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in coded data FF 00 is a byte, FF D0..D7 a restart

_ANIMATION_FLAG = 0x02  # bit of the VP8X chunk's flags, WebP container specification


@dataclass(frozen=True)
class Header:
    """What the first bytes of an image say of it; sizes in pixels, before EXIF orientation."""

    type: ImageType
    width: int
    height: int
    colorspace: str = ""
    """JPEG only, as libjpeg names it: Gray, YCbCr, RGB, CMYK, YCCK."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_header(data: bytes) -> Header:
    """Reads type and size.

    Raises:
        BadImage: no bytes, a header that is damaged or cut short, or a JPEG of more than 64 scans.
        UnsupportedType: not JPEG, PNG or WebP; an animated WebP.
    """
    if not data:
        raise BadImage("the image is empty (0 bytes)")
    if data.startswith(_JPEG_SIGNATURE):
        return _jpeg(data)
    if data.startswith(_PNG_SIGNATURE):
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if _JPEG_SIGNATURE.startswith(data) or _PNG_SIGNATURE.startswith(data):
        raise BadImage(f"the image is cut short: only {len(data)} bytes")
    raise UnsupportedType(f"not a JPEG, PNG or WebP image: the first bytes are {data[:12]!r}")


def _checked(header: Header) -> Header:
    if header.width < 1 or header.height < 1:
        raise BadImage(f"damaged {header.type} header: size {header.width}x{header.height}")
    return header


def _jpeg(data: bytes) -> Header:
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise BadImage(f"damaged JPEG header: {error}") from error
    # The count is cheap but sees markers in thumbnails and trailers, too; the exact walk is for the suspects.
    if len(_SCAN.findall(data)) > _MAX_SCANS and (scans := _scans(data)) > _MAX_SCANS:
        raise BadImage(f"JPEG of {scans} scans; the limit is {_MAX_SCANS}")
    return _checked(Header("jpeg", int(width), int(height), colorspace))


def _scans(data: bytes) -> int:
    """Scans of the first image in `data`, whatever is embedded in its segments or follows it."""
    scans, position = 0, 2
    while (marker := _MARKER.search(data, position)) and data[marker.end() - 1] != _END_OF_IMAGE:
        scans += data[marker.end() - 1] == _START_OF_SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _png(data: bytes) -> Header:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise BadImage(f"damaged PNG: no complete header in {len(data)} bytes")
    width, height = struct.unpack(">II", data[16:24])
    return _checked(Header("png", width, height))


def _webp(data: bytes) -> Header:
    chunk = data[12:16]
    if len(data) < _WEBP_HEADER_BYTES.get(chunk, 16):
        raise BadImage(f"damaged WebP: no complete header in {len(data)} bytes")
    if chunk == b"VP8X":
        if data[20] & _ANIMATION_FLAG:
            raise UnsupportedType("animated WebP; send a single frame")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif chunk == b"VP8 ":
        width, height = (size & 0x3FFF for size in struct.unpack("<HH", data[26:30]))
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise BadImage(f"damaged WebP: first chunk is {chunk!r}")
    return _checked(Header("webp", width, height))
