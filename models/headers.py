"""bytes ──▶ `Header`: type and dimensions of an encoded image, read before anything is allocated.

The type comes from the first bytes, never from what the client says of them.
"""

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

import simplejpeg

from models import work
from models.errors import BadImage, UnsupportedType
from models.scans import count_scans

ImageType = Literal["jpeg", "png", "webp"]

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WEBP_HEADER_BYTES = {b"VP8X": 30, b"VP8 ": 30, b"VP8L": 25}  # by first chunk, up to and with the size

_SAMPLES = {2: 3, 4: 2, 6: 4}  # of a pixel by the colour type of a PNG; one where it is grey or in a palette
_ANIMATION_FLAG = 0x02  # bit of the VP8X chunk's flags, WebP container specification

_MAX_CHUNKS = 64  # of a WebP that are looked at; ordinary ones have 6 at most


class Header(NamedTuple):
    """What the first bytes of an image say of it; sizes in pixels, before EXIF orientation."""

    type: ImageType
    width: int
    height: int
    colorspace: str = ""
    """JPEG only, as libjpeg names it: Gray, YCbCr, RGB, CMYK, YCCK."""
    extra_pixels: int = 0
    """Work that its coding makes beside its area, see `models.work`."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def work_pixels(self) -> int:
        """Pixels of an ordinary photograph whose decoding costs at least half as much; no fewer than its own."""
        return work.area(self.width, self.height) + self.extra_pixels


def read_header(data: bytes) -> Header:
    """Reads type and size.

    Raises:
        BadImage: no bytes, a header that is damaged or cut short, or a JPEG of more scans or segments than any has.
        UnsupportedType: not JPEG, PNG or WebP; an animated WebP; an arithmetically coded or lossless JPEG.
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
    scans = count_scans(data)
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise BadImage(f"damaged JPEG header: {error}") from error
    return _checked(Header("jpeg", int(width), int(height), colorspace, work.of_jpeg(int(width * height), scans)))


def _png(data: bytes) -> Header:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise BadImage(f"damaged PNG: no complete header in {len(data)} bytes")
    width, height = struct.unpack(">II", data[16:24])
    bits = data[24] * _SAMPLES.get(data[25], 1)
    return _checked(Header("png", width, height, extra_pixels=work.of_png(width * height, bits, len(data))))


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
    extra_pixels = work.of_webp(width * height, *_webp_coding(data))
    return _checked(Header("webp", width, height, extra_pixels=extra_pixels))


def _webp_coding(data: bytes) -> tuple[int, bool]:
    """Bytes that may be losslessly coded, and whether transparency is coded on its own, as `work.of_webp` asks.

    Of a file of very many chunks the worst is assumed.
    """
    lossless_bytes, transparent, position = 0, False, 12
    for _ in range(_MAX_CHUNKS):
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if kind in (b"VP8L", b"ALPH"):
            lossless_bytes = max(lossless_bytes, min(size, len(data)))
            transparent |= kind == b"ALPH"
        position += 8 + size + size % 2
        if position >= len(data):
            return lossless_bytes, transparent
    return len(data), True
