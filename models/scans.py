"""JPEG bytes ──▶ scans: how often the decoder will go over the whole image, read off the markers without decoding."""

from __future__ import annotations

import re

from models.errors import BadImage, UnsupportedType

# Each scan is a pass over the whole image, so a few KB of scans can cost seconds of CPU. libjpeg's standard scripts
# have 10 for colour and 18 for CMYK.
_MAX_SCANS = 64
# Of a JPEG of 10 MiB 161 can be of full length; 64 scans bring a table each.
_MAX_SEGMENTS = 320

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # FF 00 is a byte of coded data; 01, D0..D7 stand alone
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Frames in lossless, hierarchical or arithmetic coding, ITU T.81 table B.1: no browser shows them. Arithmetic coding
# has no end of its own, so that half a file would be an image, and codes pixels in next to no bytes.
_ODD_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


def count_scans(data: bytes) -> int:
    """Scans of the first image in `data`, whatever is embedded in its segments or follows it.

    Raises:
        BadImage: more than 64 scans or 320 segments.
        UnsupportedType: a frame that is neither baseline nor extended nor progressive, in Huffman coding.
    """
    scans, position = 0, 2
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.search(data, position)
        if marker is None:
            return scans
        position = marker.end()
        kind = data[position - 1]
        if kind == _END_OF_IMAGE:
            return scans
        if kind in _ODD_FRAMES:
            raise UnsupportedType(f"JPEG with a frame of type 0xff{kind:02x}; send a baseline or progressive JPEG")
        scans += kind == _START_OF_SCAN
        if scans > _MAX_SCANS:
            raise BadImage(f"JPEG of {scans} or more scans; the limit is {_MAX_SCANS}")
        position += int.from_bytes(data[position : position + 2], "big")
    raise BadImage(f"JPEG of more than {_MAX_SEGMENTS} segments; the limit is {_MAX_SEGMENTS}")
