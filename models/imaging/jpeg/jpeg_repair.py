"""harmlessly damaged JPEG ──▶ the same image without the damage, and proof that no row of it is missing.

libjpeg warns about some complete images as it does about half an image. So the file is rebuilt from the segments that
pixels depend on and the unchanged coded data, and must then decode without a warning. One kind of damage remains: stray
bytes at the end of coded data. libjpeg says how many there are, but not what else is wrong. Such an image is decoded
twice, with different bytes put where coded data ends. A complete image never reads them, so both results are equal.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from itertools import pairwise
from math import ceil
from typing import Literal, NamedTuple, get_args

from models.errors import BadImage
from models.imaging.jpeg import jpeg_segments as jpeg
from models.imaging.jpeg.jpeg_segments import Frame, Segment, Structure
from models.imaging.types import Pixels

JpegWarning = Literal["adobe_transform", "icc_profile", "jfif_version", "no_end", "scan_parameters", "stray_bytes"]
WARNINGS: tuple[JpegWarning, ...] = get_args(JpegWarning)
"""Kinds of damage that are repaired."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_CYCLE = bytes(range(0xD0, 0xD8))
_MAX_CYCLES = 1 << 15  # of restart markers: 32 MP with one for each block of 16x8 pixels
_FILL = re.compile(rb"\xff+(?=\xff)")  # a marker's first byte may be repeated before it
_ICC, _ICC_BYTES = b"ICC_PROFILE\0", 18  # the least size of a segment: marker, length, name, number and count
_SEQUENTIAL = b"\0\x3f\0"  # coefficients 0 to 63, all bits
# Transforms that Adobe's segment may name; -1: no segment. With JFIF's segment, an RGB's 0 is ignored.
_TRANSFORMS = {"Gray": range(-1, 256), "RGB": (-1, 0), "CMYK": (-1, 0), "YCbCr": (-1, 0, 1), "YCCK": (2,)}
_END = b"\xff\xd9"
# JFIF's segment, or the transform in Adobe's (version 100), tells the colour space.
_JFIF = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64" + bytes(4)
_STARTS = {"Gray": _JFIF, "YCbCr": _JFIF, "RGB": _ADOBE + b"\0", "CMYK": _ADOBE + b"\0", "YCCK": _ADOBE + b"\2"}
_TABLES = frozenset({jpeg.TABLES_Q, jpeg.TABLES_HUFFMAN, jpeg.RESTARTS, 0xC0, 0xC1, jpeg.PROGRESSIVE})
# A partly written file often has zeros for the rest, which are legal codes. So an image that ends in a long run of one
# byte must be proven too. The first bytes of the run may be the image's last.
_TAIL_BYTES, _KEPT_BYTES = 64, 8
# Put after coded data, without 0xff. Every bit of one differs from the other's, so the first bit that a decoder reads
# makes a difference.
_FILLERS = tuple(bytes((73 * place % 251 + 2) ^ flip for place in range(64)) for flip in (0, 0xFF))


class Scan(NamedTuple):
    """One scan of an image."""

    before: bytes
    """Segments before its coded data; the last is its own header."""
    coded: bytes
    restarts: int | None
    """Number of restart markers that it must have; None if the decoder expects none."""

    @property
    def tail_bytes(self) -> int:
        """Length of the run of one byte at its end; 0 if it is short enough to be part of an image."""
        run = len(self.coded) - len(self.coded.rstrip(self.coded[-1:] or None))
        return run if run >= _TAIL_BYTES else 0

    def filled(self, filler: bytes) -> bytes:
        """The scan with `filler` where its coded data ends, and where each restart interval ends."""
        coded = self.coded[: len(self.coded) - max(self.tail_bytes - _KEPT_BYTES, 0)]
        coded = _FILL.sub(b"", coded).removesuffix(b"\xff")
        if self.restarts is not None:
            coded = _RESTART.sub(lambda marker: filler + marker[0], coded)
        return self.before + coded + filler

    def is_in_order(self) -> bool:
        """Whether all restart markers are there and count from 0 to 7 repeatedly."""
        if self.restarts is None:
            return True
        numbers = b"".join(_RESTART.findall(self.coded))[1::2]
        return len(numbers) >= self.restarts and numbers == (_CYCLE * (len(numbers) // 8 + 1))[: len(numbers)]


class Repaired(NamedTuple):
    """The rebuilt image."""

    scans: list[Scan]
    kinds: set[JpegWarning]
    """Kinds of damage that were repaired."""

    @property
    def data(self) -> bytes:
        """The file."""
        return b"".join(part for scan in self.scans for part in (scan.before, scan.coded)) + _END

    @property
    def is_doubtful(self) -> bool:
        """Whether the file may be only partly written although it decodes."""
        return bool(self.scans) and self.scans[-1].tail_bytes > 0

    def whole(self, read: Callable[[bytes], Pixels]) -> Pixels:
        """Decodes the image and proves that its coded data is complete.

        Args:
            read: decodes a JPEG, ignoring damage.

        Raises:
            BadImage: rows are missing.
        """
        if sum(scan.coded.count(b"\xff\xd0") for scan in self.scans) > _MAX_CYCLES:
            raise BadImage(f"damaged JPEG: stray bytes among more than {8 * _MAX_CYCLES} restart markers")
        first, second = (b"".join(scan.filled(filler) for scan in self.scans) + _END for filler in _FILLERS)
        expected = zlib.crc32(read(first).data)
        pixels = read(second)
        if zlib.crc32(pixels.data) != expected or not all(scan.is_in_order() for scan in self.scans):
            raise BadImage("damaged JPEG: coded data ends before the picture does")
        return pixels


def repair(data: bytes, structure: Structure) -> Repaired:
    """Rebuilds an image without the damage.

    Args:
        data: the file.
        structure: of the file.

    Raises:
        BadImage: the end marker and a scan are missing.
    """
    marks, frame = list(jpeg.segments(data)), structure.frame
    kinds = _kinds(data, marks, structure)
    if "no_end" in kinds and not _has_all_scans(data, marks, frame):
        raise BadImage(f"damaged JPEG of {len(data)} bytes: cut short, scans are missing")
    scans, before, interval = [], _STARTS[structure.colorspace], 0
    for (kind, start, end), (_, after, _) in pairwise(marks):
        if kind == jpeg.RESTARTS:
            interval = int.from_bytes(data[start + 4 : start + 6])
        if kind in _TABLES:
            before += data[start:end]
        elif kind == jpeg.SCAN:
            header = data[start:end] if frame.kind == jpeg.PROGRESSIVE else data[start : end - 3] + _SEQUENTIAL
            restarts = ceil(_units(frame, _planes(header)) / interval) - 1 if interval else None
            scans.append(Scan(before + header, data[end:after], restarts))
            before = b""
    return Repaired(scans, kinds)


def _planes(header: bytes) -> list[int]:
    """Ids of a scan's components."""
    return list(header[5 : 5 + 2 * header[4] : 2])


def _units(frame: Frame, planes: list[int]) -> int:
    """Number of units (MCUs) in a scan; a restart marker may come between any two of them."""
    alone = next((each for each in frame.components if planes == [each.id]), None)
    return frame.blocks(alone) if alone else frame.units


def _has_all_scans(data: bytes, marks: list[Segment], frame: Frame) -> bool:
    """Whether the scans hold every bit of every coefficient of every component."""
    missing = {(each.id, place) for each in frame.components for place in range(64)}
    for _, start, end in (mark for mark in marks if mark[0] == jpeg.SCAN):
        header = data[start:end]
        first, last, bits = header[-3:] if frame.kind == jpeg.PROGRESSIVE else _SEQUENTIAL
        if bits & 15 == 0:
            missing -= {(plane, place) for plane in _planes(header) for place in range(first, last + 1)}
    return not missing


def _kinds(data: bytes, marks: list[Segment], structure: Structure) -> set[JpegWarning]:
    """Kinds of damage that libjpeg warns about."""
    found: set[JpegWarning] = set()
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
    """Whether the chunks of a colour profile are numbered 1 to n, and each names n."""
    starts = [
        start + 4
        for kind, start, end in marks
        if kind == jpeg.APP2 and data.startswith(_ICC, start + 4) and end - start >= _ICC_BYTES
    ]
    numbers = sorted(data[start + 12] for start in starts)
    return numbers == list(range(1, len(starts) + 1)) and {data[start + 13] for start in starts} <= {len(starts)}
