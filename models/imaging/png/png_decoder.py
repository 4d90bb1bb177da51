"""PNG ──▶ header and pixels.

Pillow's decoder gets the rows alone. Pillow's reader would parse and inflate all other chunks first: 9 MiB of colour
profiles cost 18 s of CPU.
"""

from __future__ import annotations

import struct
import zlib

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, UnsupportedType
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.exif import orientation
from models.imaging.png import png_deep
from models.imaging.png.png_chunks import PALETTE, SIGNATURE, Chunks, Layout, is_intact, read_chunks
from models.imaging.png.png_rows import MODES, read_rows
from models.imaging.types import Header, Pixels, checked

__all__ = ["SIGNATURE", "decode", "read_header"]

_APPLE = b"CgBI"  # first chunk of a PNG that Xcode has converted
_PALETTE_BYTES = 256 * 3


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged.
        UnsupportedType: animated, or converted for iOS.
    """
    if data[12:16] == _APPLE:
        raise UnsupportedType(
            'PNG made for iOS alone (chunk CgBI); send the original, or revert it with "pngcrush '
            '-revert-iphone-optimizations in.png out.png"'
        )
    chunks = read_chunks(data)
    if chunks.frames > 1:
        raise UnsupportedType(f"animated png of {chunks.frames} frames; send a single frame")
    layout = chunks.layout
    pixels = layout.width * layout.height
    extra_pixels = work.of_png(pixels, layout.bits, len(data))
    if png_deep.reads_twice(chunks):
        extra_pixels += pixels + work.of_png(pixels, layout.bits, 0) + pixels // 2  # the second pass and blending
    turned = orientation(chunks.exif)
    return checked(Header("png", layout.width, layout.height, extra_pixels=extra_pixels, orientation=turned))


def decode(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Pixels as stored, uint8 `[H, W, C]`.

    Raises:
        BadImage: damaged.
        ValueError, zlib.error: the rows are damaged.
    """
    chunks = read_chunks(data)
    _check(chunks, data, header)
    rows = b"".join([data[where] for where in chunks.rows])
    if png_deep.is_deep(chunks):
        return png_deep.decode(chunks, rows, spec)
    image = read_rows(chunks.layout, rows)
    if chunks.palette:
        image.putpalette(chunks.palette.ljust(_PALETTE_BYTES, b"\0"))  # missing colours are black, as in libpng
    if chunks.transparency:
        image.info["transparency"] = _transparency(chunks.transparency, chunks.layout)
    return to_array(image, spec)


def _transparency(transparency: bytes, layout: Layout) -> bytes | int | tuple[int, ...]:
    """The transparent level in Pillow's 8 bits a sample; with a palette, the opacity of its colours.

    Bits above the image's depth are ignored, PNG specification, section 11.3.1.1.
    """
    if layout.colour == PALETTE:
        return transparency
    highest = (1 << layout.depth) - 1
    levels = struct.unpack(f">{len(transparency) // 2}H", transparency)
    first, *others = ((level & highest) * (255 // highest) for level in levels)
    return (first, *others) if others else first


def _check(chunks: Chunks, data: bytes, header: Header) -> None:
    layout = chunks.layout
    if not chunks.ends:
        raise BadImage(f"damaged png image of {len(data)} bytes: cut short, it has no end")
    if (layout.width, layout.height) != (header.width, header.height):
        sizes = f"{header.width}x{header.height} and {layout.width}x{layout.height}"
        raise BadImage(f"damaged png image: it has two sizes, {sizes}")
    if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        raise BadImage("damaged png image: its header has a wrong checksum")
    if (layout.colour, layout.depth) not in MODES:
        raise BadImage(f"damaged png image: colour type {layout.colour} has no {layout.depth} bits a sample")
    if not all(is_intact(data, where.start, where.stop) for where in chunks.rows):  # Pillow skips the zlib checksum
        raise BadImage("damaged png image: its rows have a wrong checksum")
    methods = layout.compression, layout.filtering, layout.interlace
    if methods not in ((0, 0, 0), (0, 0, 1)):
        raise BadImage(f"damaged png image: its methods are {methods}; PNG has 0, 0 and 0 or 1")
    if layout.colour == PALETTE and not chunks.palette:
        raise BadImage("damaged png image: its palette is missing")
