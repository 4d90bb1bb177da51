"""PNG ──▶ header and pixels, by Pillow, which is given only those chunks that the pixels depend on.

Whatever else a PNG carries would be taken apart, and inflated, before its pixels are: 9 MiB of colour profiles cost
18 s of CPU.
"""

from __future__ import annotations

import io
import struct

from models.errors import BadImage, UnsupportedType
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.exif import orientation
from models.imaging.png_rows import SAMPLES, WholePng
from models.imaging.types import Header, Pixels, checked
from models.manifest import InputSpec

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_BYTES = 64 * 1024

_SIGNATURE_BYTES = 8
_HEAD = struct.Struct(">I4s")  # length and type, before a chunk's data; a checksum of 4 bytes comes after
_ROWS, _END = b"IDAT", b"IEND"
# Size, palette, transparency, orientation, and what an animation is known by.
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL"})


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise BadImage(f"damaged PNG: no complete header in {len(data)} bytes")
    width, height = struct.unpack(">II", data[16:24])
    bits = data[24] * SAMPLES.get(data[25], 1)
    exif = data.find(b"eXIf") + 4
    turned = orientation(data[exif : exif + _EXIF_BYTES])
    extra_pixels = work.of_png(width * height, bits, len(data))
    return checked(Header("png", width, height, extra_pixels=extra_pixels, orientation=turned))


def decode(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Pixels as they are stored, `[H, W, C]`."""
    with WholePng(io.BytesIO(keep_what_pixels_need(data))) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged png image: it has two sizes, {sizes}")
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedType("animated png; send a single frame")
        image.load()
        return to_array(image, spec)


def keep_what_pixels_need(data: bytes) -> bytes:
    """The image with its rows in one chunk, whose checksum is left to the check of the compressed data in it.

    Raises:
        BadImage: cut short, so that its end is missing, or two headers, palettes or the like, of which readers take the
            first or the last.
    """
    view, position = memoryview(data), _SIGNATURE_BYTES
    kept: dict[bytes, memoryview] = {}
    rows: list[memoryview] = []
    while position + _HEAD.size <= len(data):
        length, kind = _HEAD.unpack_from(data, position)
        start, end = position, position + _HEAD.size + length + 4
        if kind == _END and end <= len(data):
            return b"".join([view[:_SIGNATURE_BYTES], *kept.values(), *_joined(rows), view[start:end]])
        if kind == _ROWS:
            rows.append(view[start + _HEAD.size : end - 4])
        elif kind in kept:
            raise BadImage(f"damaged png image: it has two chunks {kind.decode()}")
        elif kind in _KEPT:
            kept[kind] = view[start:end]
        position = end
    raise BadImage(f"damaged png image of {len(data)} bytes: cut short, it has no end")


def _joined(rows: list[memoryview]) -> list[bytes | memoryview]:
    return [_HEAD.pack(sum(map(len, rows)), _ROWS), *rows, bytes(4)]
