"""harmlessly damaged JPEG ──▶ the same picture without the damage, and proof that no row of it is missing.

Programs write pictures that are complete but over which libjpeg warns, as it does over half a picture. So the file is
laid out anew, with those segments that pixels depend on and the coded data as it is, and must decode without a
warning. What is left are stray bytes at the end of coded data: libjpeg says how many there are, but not what else is
wrong. There the picture is decoded twice, each time with other bytes put where coded data ends; a picture that is
complete never looks at them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from itertools import pairwise
from math import ceil
from typing import Literal, NamedTuple, get_args

from models.errors import BadImage
from models.imaging import jpeg_segments as jpeg
from models.imaging.jpeg_segments import Frame, Segment, Structure
from models.imaging.types import Pixels

Warning_ = Literal["adobe_transform", "icc_profile", "jfif_version", "no_end", "scan_parameters", "stray_bytes"]
WARNINGS: tuple[Warning_, ...] = get_args(Warning_)
"""Kinds of damage that are mended."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ICC, _ICC_BYTES = b"ICC_PROFILE\0", 18  # of a segment at least: marker, length, name, number and count
_SEQUENTIAL = b"\0\x3f\0"  # coefficients 0 to 63, all bits
# In Adobe's segment; -1 where there is none. Beside JFIF's segment an RGB's 0 is passed over.
_TRANSFORMS = {"Gray": range(-1, 256), "RGB": (-1, 0), "CMYK": (-1, 0), "YCbCr": (-1, 0, 1), "YCCK": (2,)}
_END = b"\xff\xd9"
# A colour space is known by JFIF's segment or by the transform in Adobe's, version 100.
_JFIF = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64" + bytes(4)
_STARTS = {"Gray": _JFIF, "YCbCr": _JFIF, "RGB": _ADOBE + b"\0", "CMYK": _ADOBE + b"\0", "YCCK": _ADOBE + b"\2"}
_TABLES = frozenset({jpeg.TABLES_Q, jpeg.TABLES_HUFFMAN, jpeg.RESTARTS, 0xC0, 0xC1, jpeg.PROGRESSIVE})
# Put behind coded data, without 0xff. Each bit of one differs from that of the other, so that the first that a decoder
# looks at makes a difference.
_FILLERS = tuple(bytes((73 * place % 251 + 2) ^ flip for place in range(64)) for flip in (0, 0xFF))


class Repaired(NamedTuple):
    """The picture laid out anew."""

    parts: list[bytes]
    """Of the file; every second one is coded data up to a marker."""
    kinds: set[Warning_]
    """Of damage that was mended."""
    is_in_order: bool
    """Whether each scan has all its restart markers, counted up as they must be."""

    @property
    def data(self) -> bytes:
        """The file."""
        return b"".join(self.parts)

    def whole(self, read: Callable[[bytes], Pixels]) -> Pixels:
        """Decodes it, and proves that coded data ends nowhere before the picture does.

        Args:
            read: decodes, whatever the damage.

        Raises:
            BadImage: rows are missing.
        """
        first, second = (self._filled(filler) for filler in _FILLERS)
        expected = zlib.crc32(read(first).data) if self.is_in_order else None
        pixels = read(second)
        if zlib.crc32(pixels.data) != expected:
            raise BadImage("damaged JPEG: coded data ends before the picture does")
        return pixels

    def _filled(self, filler: bytes) -> bytes:
        return b"".join(part + filler if place % 2 else part for place, part in enumerate(self.parts))


def repair(data: bytes, structure: Structure) -> Repaired:
    """Lays the picture out anew.

    Args:
        data: the file.
        structure: of the same.

    Raises:
        BadImage: it has no end, and a scan is missing.
    """
    marks = list(jpeg.segments(data))
    kinds = _kinds(data, marks, structure)
    if "no_end" in kinds and not _has_all_scans(data, marks, structure.frame):
        raise BadImage(f"damaged JPEG of {len(data)} bytes: cut short, scans are missing")
    parts, interval, is_in_order = [_STARTS[structure.colorspace]], 0, True
    for (kind, start, end), (_, after, _) in pairwise(marks):
        if kind in _TABLES:
            parts[-1] += data[start:end]
        if kind == jpeg.RESTARTS:
            interval = int.from_bytes(data[start + 4 : start + 6], "big")
        if kind == jpeg.SCAN:
            header = data[start:end]
            parts[-1] += header if structure.frame.kind == jpeg.PROGRESSIVE else header[:-3] + _SEQUENTIAL
            coded = _intervals(data[end:after], interval)
            is_in_order &= _is_in_order(coded[1::2], _units(structure.frame, _planes(header)), interval)
            parts += [*coded, b""]
    parts[-1] += _END
    return Repaired(parts, kinds, is_in_order)


def _intervals(coded: bytes, interval: int) -> list[bytes]:
    """Coded data of a scan, split at its restart markers, without the fill bytes before those."""
    found, position = [], 0
    for marker in _RESTART.finditer(coded) if interval else ():
        found += [coded[position : marker.start()].rstrip(b"\xff"), marker[0]]
        position = marker.end()
    return [*found, coded[position:].rstrip(b"\xff")]


def _is_in_order(markers: list[bytes], units: int, interval: int) -> bool:
    """Whether as many restart markers as there must be count from 0 to 7, over and over."""
    wanted = ceil(units / interval) - 1 if interval else 0
    return len(markers) >= wanted and all(marker[1] == 0xD0 + place % 8 for place, marker in enumerate(markers))


def _planes(header: bytes) -> list[int]:
    """Ids of the components of a scan."""
    return list(header[5 : 5 + 2 * header[4] : 2])


def _units(frame: Frame, planes: list[int]) -> int:
    """Units (MCUs) that a scan has between its first and its last row, ITU T.81 section A.2."""
    across, down = (max(each[place] for each in frame.components) for place in (1, 2))
    if len(planes) > 1:
        return ceil(frame.width / (8 * across)) * ceil(frame.height / (8 * down))
    plane = next((each for each in frame.components if each.id in planes), frame.components[0])
    return ceil(frame.width * plane.across / (8 * across)) * ceil(frame.height * plane.down / (8 * down))


def _has_all_scans(data: bytes, marks: list[Segment], frame: Frame) -> bool:
    """Whether each coefficient of each component is there, to its last bit."""
    missing = {(each.id, place) for each in frame.components for place in range(64)}
    for _, start, end in (mark for mark in marks if mark[0] == jpeg.SCAN):
        header = data[start:end]
        first, last, bits = header[-3:] if frame.kind == jpeg.PROGRESSIVE else _SEQUENTIAL
        if bits & 15 == 0:
            missing -= {(plane, place) for plane in _planes(header) for place in range(first, last + 1)}
    return not missing


def _kinds(data: bytes, marks: list[Segment], structure: Structure) -> set[Warning_]:
    """Damage that libjpeg warns of."""
    found: set[Warning_] = set()
    before = 2
    for kind, start, end in marks:
        if data[before:start].strip(b"\xff"):
            found.add("stray_bytes")
        before = len(data) if kind == jpeg.SCAN else end
        if kind == jpeg.SCAN and structure.frame.kind != jpeg.PROGRESSIVE and data[end - 3 : end] != _SEQUENTIAL:
            found.add("scan_parameters")
        if kind == jpeg.APP0 and jpeg.is_jfif(data, start, end) and data[start + 9] != 1:
            found.add("jfif_version")
    if structure.adobe not in _TRANSFORMS[structure.colorspace]:
        found.add("adobe_transform")
    if marks[-1][0] == jpeg.CUT:
        found.add("no_end")
    if not _is_icc_right(data, marks):
        found.add("icc_profile")
    return found


def _is_icc_right(data: bytes, marks: list[Segment]) -> bool:
    """Whether the chunks of a colour profile are numbered from 1 to their number, as each of them says."""
    starts = [
        start + 4
        for kind, start, end in marks
        if kind == jpeg.APP2 and data.startswith(_ICC, start + 4) and end - start >= _ICC_BYTES
    ]
    numbers = sorted(data[start + 12] for start in starts)
    return numbers == list(range(1, len(starts) + 1)) and {data[start + 13] for start in starts} <= {len(starts)}
