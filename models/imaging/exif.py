"""EXIF bytes ──▶ orientation: how the image has to be turned upright.

Pillow is not used: it warns about damaged EXIF instead of raising, and opens a JPEG a second time.
"""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"  # precedes the TIFF structure, always in JPEG and sometimes in PNG and WebP
UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # orientations that swap width and height

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}  # by the first bytes of the TIFF structure, TIFF 6.0 section 2
_ORIENTATION, _SHORT = 0x0112, 3  # tag and type, Exif 2.32 table 4
_ENTRY_BYTES = 12


def orientation(exif: bytes) -> int:
    """Returns the orientation, 1 to 8; 1 (upright) if there is none or the EXIF is damaged, as in browsers."""
    tiff = exif.removeprefix(PREFIX)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for index in range(entries):
            entry = start + 2 + index * _ENTRY_BYTES
            tag, type_, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return int(value) if type_ == _SHORT and 1 <= value <= 8 else UPRIGHT
    except struct.error:  # an offset outside the data
        pass
    return UPRIGHT
