"""Encoded images for the tests: good ones of every kind, and damaged ones."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION = 0x0112


def picture(width: int = 24, height: int = 16, mode: str = "RGB") -> Image.Image:
    """A smooth picture in which no two corners, rows or columns are alike."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = np.stack([200 * x + 20 * y, 230 * y, 120 * (x + y)], axis=-1)
    return Image.fromarray(planes.astype(np.uint8)).convert(mode)


def encode(image: Image.Image, format_: str, **options: object) -> bytes:
    """Encodes as Pillow does, with its options for the format."""
    body = io.BytesIO()
    image.save(body, format_, **options)
    return body.getvalue()


def oriented(format_: str, orientation: int, **options: object) -> bytes:
    """The picture with an EXIF orientation, 1 to 8."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(picture(), format_, exif=exif, **options)


def animated(format_: str) -> bytes:
    """Three frames."""
    frames = [picture().rotate(90 * turn) for turn in range(3)]
    return encode(frames[0], format_, save_all=True, append_images=frames[1:], duration=50)


def pillow_pixels(data: bytes, mode: str) -> NDArray[np.uint8]:
    """What Pillow alone makes of it, `[H, W]` or `[H, W, C]`."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk, checksum included."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """Signature and IHDR chunk of an 8-bit grey PNG."""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def png_with_two_headers() -> bytes:
    """A PNG that says 8x8 first and 30000x30000 after."""
    small, large = png_header(8, 8), png_header(30000, 30000)
    rows = png_chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    return small + large[8:] + rows + png_chunk(b"IEND", b"")


def jpeg_with_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are `scans` of them."""
    data = encode(picture(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (scans - data.count(b"\xff\xda")) + data[-2:]


def jpeg_with_comment(comment: bytes) -> bytes:
    """A JPEG with a comment segment right after its start."""
    data = encode(picture(), "JPEG")
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]
