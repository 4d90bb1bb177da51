"""PNG bytes ──▶ PNG bytes of only those chunks that the pixels depend on.

Whatever else a PNG carries would be taken apart, and inflated, before its pixels are: 9 MiB of colour profiles cost
18 s of CPU.
"""

from __future__ import annotations

import struct

from models.errors import BadImage

_SIGNATURE_BYTES = 8
_HEAD = struct.Struct(">I4s")  # length and type, before a chunk's data; a checksum of 4 bytes comes after
_ROWS, _END = b"IDAT", b"IEND"
# Size, palette, transparency, orientation, and what an animation is known by.
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL"})


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
