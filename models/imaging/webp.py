"""WebP ──▶ header and pixels, by Pillow."""

from __future__ import annotations

import io
import struct

from PIL.WebPImagePlugin import WebPImageFile

from models.errors import BadImage, UnsupportedType
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.exif import orientation
from models.imaging.types import Header, Pixels, checked
from models.manifest import InputSpec

_HEADER_BYTES = {b"VP8X": 30, b"VP8 ": 30, b"VP8L": 25}  # by first chunk, up to and with the size
_ANIMATION_FLAG = 0x02  # bit of the VP8X chunk's flags, WebP container specification
_MAX_CHUNKS = 64  # that are looked at; ordinary ones have 6 at most
_EXIF_BYTES = 64 * 1024


def is_webp(data: bytes) -> bool:
    """Whether it begins as one."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged.
        UnsupportedType: animated.
    """
    chunk = data[12:16]
    if len(data) < _HEADER_BYTES.get(chunk, 16):
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
    extra_pixels = work.of_webp(width * height, *_coding(data))
    exif = data.find(b"EXIF") + 8
    turned = orientation(data[exif : exif + _EXIF_BYTES])
    return checked(Header("webp", width, height, extra_pixels=extra_pixels, orientation=turned))


def decode(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Pixels as they are stored, `[H, W, C]`."""
    with WebPImageFile(io.BytesIO(data)) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged webp image: it has two sizes, {sizes}")
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedType("animated webp; send a single frame")
        image.load()
        return to_array(image, spec)


def _coding(data: bytes) -> tuple[int, bool]:
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
