"""EXIF bytes ──▶ orientation: how a camera was held, and so how its picture is turned upright.

Read here rather than with Pillow, which warns of damaged EXIF instead of raising and opens a JPEG a second time.
"""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"  # comes before the TIFF structure in JPEG always, in PNG and WebP sometimes
UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # orientations by which width and height change places

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}  # by the first bytes of the TIFF structure, TIFF 6.0 section 2
_ORIENTATION, _SHORT = 0x0112, 3  # tag and type, Exif 2.32 table 4
_ENTRY_BYTES = 12


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8; 1 (upright) where there is none or the EXIF is damaged, as browsers do."""
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
    except struct.error:  # an offset that points outside
        pass
    return UPRIGHT
