"""PNG ──▶ the chunks that its pixels depend on.

libpng, which OpenCV, libvips and browsers use, ignores an ancillary chunk that is damaged, misplaced, repeated or of a
wrong length, and shows the image without it. So does this reader.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from models.errors import BadImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types, PNG specification, table 11.1
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}  # of a pixel
MAX_CHUNKS = 1 << 15
"""Most chunks of an image. A photograph of 10 MiB in libpng's chunks of 8 KiB has 1,280. 10 MiB of empty chunks would
be 870,000, and half a second of CPU before anything is known of the image."""

_LAYOUT = struct.Struct(">IIBBBBB")
_HEAD = struct.Struct(">I4s")  # length and type, before a chunk's data
_HEADER_BYTES, _CHECKSUM_BYTES = 33, 4  # signature and first chunk; after each chunk's data
_BEFORE_ROWS = frozenset({b"tRNS", b"acTL"})  # chunks that are ignored after the first row
_OPTIONAL = _BEFORE_ROWS | {b"eXIf"}
_CRITICAL = frozenset({b"PLTE", b"IEND"})  # beside the header and the rows
_LOWER_CASE = 0x20  # bit of a type's first letter that makes the chunk ancillary, PNG specification, section 5.4
_COLOUR_BYTES = 3  # of a colour in a palette
_LEVELS_BYTES = {GREY: 2, RGB: 6}  # of a tRNS chunk: a level of 16 bits for each sample, whatever the image's depth


class Layout(NamedTuple):
    """The header chunk; sizes in pixels."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int

    @property
    def bits(self) -> int:
        """Bits of a pixel."""
        return self.depth * SAMPLES.get(self.colour, 1)


class Chunks(NamedTuple):
    """The chunks that matter; each is its data without type and checksum, empty if there is none."""

    layout: Layout
    rows: list[slice]
    """Positions of the compressed rows in the file."""
    palette: bytes
    transparency: bytes
    """A level of 16 bits for each sample; with a palette, the opacity of its first colours."""
    exif: bytes
    frames: int
    """Frames that an animation announces, or 0."""
    ends: bool
    """Whether the end chunk is there; False if the file is truncated."""


def read_chunks(data: bytes) -> Chunks:
    """Reads the chunks up to the image's end and ignores what follows it.

    Raises:
        BadImage: no header; more than `MAX_CHUNKS` chunks; two headers or two palettes, of which readers take
            different ones; a damaged palette; an unknown critical chunk.
    """
    if len(data) < _HEADER_BYTES or data[8:16] != b"\0\0\0\rIHDR":
        raise BadImage(f"damaged PNG: no complete header in {len(data)} bytes")
    layout = Layout._make(_LAYOUT.unpack_from(data, 16))
    rows: list[slice] = []
    found: dict[bytes, bytes] = {}
    kind = b""
    for kind, start, end in _walk(data):
        if kind == b"IDAT":
            rows.append(slice(start, end))
        elif kind == b"IHDR" or (kind == b"PLTE" and kind in found):
            raise BadImage(f"damaged png image: it has two chunks {kind.decode()}")
        elif not kind[0] & _LOWER_CASE and kind not in _CRITICAL:
            raise BadImage(f"damaged png image: it cannot be shown without its chunk {kind!r}, which is not known")
        elif kind == b"PLTE" and layout.colour == PALETTE:
            found[kind] = b"" if rows else _palette(data, start, end)
        elif (
            kind in _OPTIONAL
            and kind not in found
            and not (rows and kind in _BEFORE_ROWS)
            and _fits(kind, end - start, layout, found.get(b"PLTE", b""))
            and is_intact(data, start, end)
        ):
            found[kind] = data[start:end]
    frames = int.from_bytes(found.get(b"acTL", b"")[:4], "big")
    return Chunks(
        layout, rows, found.get(b"PLTE", b""), found.get(b"tRNS", b""), found.get(b"eXIf", b""), frames, kind == b"IEND"
    )


def _walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields type, start and end of the data of each complete chunk after the header, the end chunk included."""
    end = _HEADER_BYTES - _CHECKSUM_BYTES
    for _ in range(MAX_CHUNKS):
        start = end + _CHECKSUM_BYTES + _HEAD.size
        if start > len(data):
            return
        length, kind = _HEAD.unpack_from(data, start - _HEAD.size)
        end = start + length
        if end + _CHECKSUM_BYTES > len(data):
            return
        yield kind, start, end
        if kind == b"IEND":
            return
    raise BadImage(f"damaged png image: it has more than {MAX_CHUNKS} chunks")


def is_intact(data: bytes, start: int, end: int) -> bool:
    """Whether a chunk's checksum is correct."""
    return zlib.crc32(memoryview(data)[start - 4 : end]) == int.from_bytes(data[end : end + _CHECKSUM_BYTES], "big")


def _palette(data: bytes, start: int, end: int) -> bytes:
    """A checked palette, 1 to 256 colours of 3 bytes."""
    if not is_intact(data, start, end):
        raise BadImage("damaged png image: its palette has a wrong checksum")
    if (end - start) % _COLOUR_BYTES or not 0 < end - start <= 256 * _COLOUR_BYTES:
        raise BadImage(f"damaged png image: its palette has {end - start} bytes; 1 to 256 colours have 3 each")
    return data[start:end]


def _fits(kind: bytes, size_bytes: int, layout: Layout, palette: bytes) -> bool:
    """Whether a chunk has the size that the layout requires."""
    if kind == b"acTL":
        return size_bytes == 8
    if kind == b"tRNS" and layout.colour == PALETTE:
        return 0 < size_bytes <= min(len(palette) // _COLOUR_BYTES, 1 << layout.depth)
    return kind != b"tRNS" or size_bytes == _LEVELS_BYTES.get(layout.colour)
