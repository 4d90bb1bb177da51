"""Segments of a JPEG: walked through, built, put in at a place."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SOS, DQT, DHT, DRI, SOF = 0xDA, 0xDB, 0xC4, 0xDD, 0xC0
APP0, APP1, APP2, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE


def segment(marker: int, content: bytes) -> bytes:
    """A marker, the length, the content."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def walk(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, position and content of each segment of a sound JPEG up to the first scan's."""
    position = 2
    while position < len(data):
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        yield data[position + 1], position, data[position + 4 : position + 2 + size]
        if data[position + 1] == SOS:
            return
        position += 2 + size


def position_of(data: bytes, *markers: int) -> int:
    """Where the first segment of one of these markers begins."""
    return next(position for marker, position, _ in walk(data) if marker in markers)


def coded_start(data: bytes) -> int:
    """Where the first scan's coded data begin."""
    *_, (_, position, content) = walk(data)
    return position + 4 + len(content)


def put(data: bytes, position: int, piece: bytes) -> bytes:
    """The data with a piece put in."""
    return data[:position] + piece + data[position:]


def without(data: bytes, *markers: int) -> bytes:
    """The data without segments of these markers before the first scan."""
    for marker, position, content in reversed(list(walk(data))):
        if marker in markers:
            data = data[:position] + data[position + 4 + len(content) :]
    return data


def exif(orientation: int, *, order: str = "<", start: int = 8, before: int = 0, kind: int = 3) -> bytes:
    """A TIFF structure of one directory: `before` other tags, then the orientation.

    Args:
        orientation: value of the tag.
        order: `<` for Intel's, `>` for Motorola's.
        start: offset of the directory.
        before: tags that come first.
        kind: type of the tag; 3 is SHORT.
    """
    other = b"".join(struct.pack(f"{order}HHII", 0x0100 + n, 4, 1, 7) for n in range(before))
    tag = struct.pack(f"{order}HHIHH", 0x0112, kind, 1, orientation, 0)
    directory = struct.pack(f"{order}H", before + 1) + other + tag + bytes(4)
    signature = b"II*\0" if order == "<" else b"MM\0*"
    return signature + struct.pack(f"{order}I", start) + bytes(start - 8) + directory


def exif_of_thumbnail(orientation: int) -> bytes:
    """A TIFF structure of two directories, of which only the second, the thumbnail's, has an orientation."""
    first = struct.pack("<HHHIII", 1, 0x0100, 4, 1, 7, 8 + 18)
    second = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return b"II*\0" + struct.pack("<I", 8) + first + second


def app1(tiff: bytes) -> bytes:
    """EXIF as JPEG holds it."""
    return segment(APP1, b"Exif\0\0" + tiff)
