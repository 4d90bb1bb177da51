"""WebP ──▶ header and pixels, by Pillow."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from PIL.WebPImagePlugin import WebPImageFile

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, UnsupportedType
from models.imaging import work
from models.imaging.channels import to_array
from models.imaging.exif import UPRIGHT, orientation
from models.imaging.types import Header, Pixels, checked

_HEADER_BYTES = {b"VP8X": 30, b"VP8 ": 30, b"VP8L": 25}  # by first chunk, including the size
_CHUNK = struct.Struct("<4sI")  # type and size
# Bits of the VP8X chunk's flags, and bytes before the chunks of a frame; WebP container specification.
_ANIMATION_FLAG, _EXIF_FLAG, _OPACITY_FLAG, _FRAME_BYTES = 0x02, 0x08, 0x10, 16
_LOSSLESS = frozenset({b"VP8L", b"ALPH"})  # chunks of losslessly coded pixels or transparency
_MAX_CHUNKS = 4096  # that are read, in 2 ms; a still image has at most 6, an animation 3 a frame


class _Contents(NamedTuple):
    """What the chunks of a WebP contain."""

    frames: int
    exif: bytes
    lossless_bytes: int
    """Size of the largest losslessly coded chunk."""
    transparent: bool
    """Whether transparency has a chunk of its own."""
    complete: bool
    """Whether all chunks were read."""


_STILL = _Contents(0, b"", 0, transparent=False, complete=True)
"""An image with a single chunk, its pixels."""


def is_webp(data: bytes) -> bool:
    """Whether the data begin as a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_header(data: bytes) -> Header:
    """Reads type, size and orientation.

    Raises:
        BadImage: damaged.
        UnsupportedType: animated, of more than one frame.
    """
    chunk = data[12:16]
    if len(data) < _HEADER_BYTES.get(chunk, 16):
        raise BadImage(f"damaged WebP: no complete header in {len(data)} bytes")
    contents, flags = _STILL, 0
    if chunk == b"VP8X":
        contents, flags = _read_chunks(data), data[20]
        if flags & _ANIMATION_FLAG and contents.frames > 1:
            raise _animated(f"{contents.frames}{'' if contents.complete else ' or more'}")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif chunk == b"VP8 ":
        width, height = (size & 0x3FFF for size in struct.unpack("<HH", data[26:30]))
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        contents = _STILL._replace(lossless_bytes=min(int.from_bytes(data[16:20], "little"), len(data)))
    else:
        raise BadImage(f"damaged WebP: first chunk is {chunk!r}")
    extra_pixels = work.of_webp(width * height, contents.lossless_bytes, contents.transparent)
    turned = orientation(contents.exif) if flags & _EXIF_FLAG else UPRIGHT  # without the flag libwebp sees no EXIF
    return checked(Header("webp", width, height, extra_pixels=extra_pixels, orientation=turned))


def decode(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """Pixels as stored, uint8 `[H, W, C]`; the canvas around a single frame is background.

    Raises:
        BadImage: damaged.
        UnsupportedType: animated, of more than one frame.
        OSError, SyntaxError: damaged, from Pillow.
    """
    with WebPImageFile(io.BytesIO(data)) as image:
        if image.size != (header.width, header.height):
            sizes = f"{header.width}x{header.height} and {image.width}x{image.height}"
            raise BadImage(f"damaged webp image: it has two sizes, {sizes}")
        if image.n_frames > 1:
            raise _animated(f"{image.n_frames}")
        if data[12:16] != b"VP8X" or not data[20] & _ANIMATION_FLAG:
            image.load()
            return to_array(image, spec)
    return _decode_frame(data, header, spec)


def _decode_frame(data: bytes, header: Header, spec: InputSpec) -> Pixels:
    """An animation's only frame at its place on the background; Pillow would have black there."""
    chunks = islice(_walk(data, 12, _end(data)), _MAX_CHUNKS)
    start, size = next(((start, size) for kind, start, size in chunks if kind == b"ANMF"), (0, 0))
    if not size:
        raise BadImage(f"damaged webp image: no frame among its first {_MAX_CHUNKS} chunks")
    left, top = (2 * int.from_bytes(data[at : at + 3], "little") for at in (start, start + 3))
    canvas = _CHUNK.pack(b"VP8X", 10) + struct.pack("<I", _OPACITY_FLAG) + data[start + 6 : start + 12]
    body = b"WEBP" + canvas + data[start + _FRAME_BYTES : start + size]
    with WebPImageFile(io.BytesIO(_CHUNK.pack(b"RIFF", len(body)) + body)) as image:
        image.load()
        frame = to_array(image, spec)
    array = np.full((header.height, header.width, spec.channels), spec.background, np.uint8)
    array[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return array


def _animated(frames: str) -> UnsupportedType:
    return UnsupportedType(f"animated webp of {frames} frames; send a single frame")


def _end(data: bytes) -> int:
    """End of the file by its header, but not beyond the data."""
    return min(len(data), int.from_bytes(data[4:8], "little") + 8)


def _read_chunks(data: bytes) -> _Contents:
    """Reads the chunks; a file of too many is taken for one large losslessly coded chunk, the most expensive case."""
    frames, exif, lossless_bytes, transparent = 0, b"", 0, False
    for number, (kind, start, size) in enumerate(_walk(data, 12, _end(data))):
        if number == _MAX_CHUNKS:
            return _Contents(frames, exif, len(data), True, complete=False)
        if kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            exif = exif or data[start : start + size]
        elif kind in _LOSSLESS:
            lossless_bytes = max(lossless_bytes, min(size, len(data)))
            transparent |= kind == b"ALPH"
    return _Contents(frames, exif, lossless_bytes, transparent, complete=True)


def _walk(data: bytes, position: int, end: int, *, in_frame: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Yields type, start and size of each chunk's data.

    Inside a frame, only losslessly coded chunks keep their type.
    """
    while position + 8 <= end:
        kind, size = _CHUNK.unpack_from(data, position)
        start = position + 8
        yield b"" if in_frame and kind not in _LOSSLESS else kind, start, size
        position = start + size + size % 2
        if kind == b"ANMF" and not in_frame:
            yield from _walk(data, start + _FRAME_BYTES, min(position, end), in_frame=True)
