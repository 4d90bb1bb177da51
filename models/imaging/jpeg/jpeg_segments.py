"""JPEG ──▶ segments, frame and colour space, by one walk over the markers of its first image.

Content of segments (a thumbnail, a comment) and anything after the image (another image, a video) is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from struct import Struct
from typing import NamedTuple

from models.errors import BadImage, UnsupportedType
from models.imaging.exif import PREFIX, UPRIGHT, orientation

# Each scan is a pass over the whole image, so a few KB of scans can cost seconds of CPU. libjpeg writes 10 scans for
# colour and 18 for CMYK.
_MAX_SCANS = 64
# A JPEG of 10 MiB has room for 161 segments of full length, and 64 scans may have a table each.
_MAX_SEGMENTS = 320

# ITU T.81 table B.1
START, END, SCAN, TABLES_Q, TABLES_HUFFMAN, RESTARTS, APP0, APP1, APP2, APP14 = (
    *(0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD),
    *(0xE0, 0xE1, 0xE2, 0xEE),
)
CUT = 0
"""Stands for a missing end marker."""
PROGRESSIVE = 0xC2
_FRAMES = frozenset({0xC0, 0xC1, PROGRESSIVE})  # baseline, extended, progressive, in Huffman coding
_TELLING = _FRAMES | {SCAN, APP0, APP1, APP14}
_NEW_CODE = "recode it with libjpeg-turbo 3: djpeg in.jpg | cjpeg -quality 95 > out.jpg"
# Arithmetic coding does not mark its end, so half a file would be an image; and it codes pixels in almost no bytes.
_ARITHMETIC = "an arithmetically coded JPEG", "recode it without loss: jpegtran in.jpg > out.jpg"
_HIERARCHICAL = "a hierarchical JPEG", "save it as a baseline JPEG in the program that wrote it"
_ODD_FRAMES = {
    0xC3: ("a lossless JPEG", _NEW_CODE),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), _HIERARCHICAL),
    **dict.fromkeys((0xC9, 0xCA), _ARITHMETIC),
    0xCB: ("an arithmetically coded lossless JPEG", "save it as a baseline JPEG in the program that wrote it"),
    0xF7: ("a JPEG-LS", "convert it: ffmpeg -i in.jls out.png"),
}

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # FF 00 is coded data; 01 and D0..D7 have no segment
_HEAD = Struct(">BBH").unpack_from  # FF, marker and length of a segment; the length includes its own two bytes
_NOWHERE = (0, 0, 0)
_SCAN_BYTES = 10  # marker, length, one component and the parameters
_FRAME = Struct(">BHHB")  # precision, height, width, components
_JFIF, _JFIF_BYTES = b"JFIF\0", 14
_ADOBE, _ADOBE_BYTES = b"Adobe", 12


class Component(NamedTuple):
    """One component of a frame."""

    id: int
    across: int
    """Sampling factors, 1 to 4."""
    down: int


class Frame(NamedTuple):
    """The frame header; sizes in pixels."""

    kind: int
    height: int
    width: int
    planes: bytes
    """Three bytes for each component: id, sampling factors, table number."""

    @property
    def components(self) -> list[Component]:
        """The components.

        Raises:
            BadImage: sampling factors that are not 1 to 4.
        """
        planes = self.planes
        found = [Component(planes[at], planes[at + 1] >> 4, planes[at + 1] & 15) for at in range(0, len(planes), 3)]
        if not all(1 <= each.across <= 4 and 1 <= each.down <= 4 for each in found):
            raise BadImage(f"damaged JPEG header: sampling {[(each.across, each.down) for each in found]}")
        return found

    @property
    def units(self) -> int:
        """Number of units (MCUs) in a scan of several components, ITU T.81 section A.2."""
        across, down = self._most
        return ceil(self.width / (8 * across)) * ceil(self.height / (8 * down))

    def blocks(self, plane: Component) -> int:
        """Number of blocks of a component, which is the number of units in a scan of it alone."""
        across, down = self._most
        return ceil(self.width * plane.across / (8 * across)) * ceil(self.height * plane.down / (8 * down))

    def check_ratios(self) -> None:
        """Checks that all components can be enlarged to one size.

        Raises:
            UnsupportedType: the factors are not integers, which libjpeg needs.
        """
        across, down = self._most
        planes = self.components
        if any(across % plane.across or down % plane.down for plane in planes):
            factors = ", ".join(f"{plane.across}x{plane.down}" for plane in planes)
            raise UnsupportedType(f"a JPEG sampled {factors} is not supported; save it sampled 1x1 or 2x2, 1x1, 1x1")

    @property
    def _most(self) -> tuple[int, int]:
        planes = self.components
        return max(plane.across for plane in planes), max(plane.down for plane in planes)


Segment = tuple[int, int, int]
"""Marker, start and end."""


class Structure(NamedTuple):
    """What one walk over the segments tells."""

    frame: Frame
    colorspace: str
    """As libjpeg names it: Gray, YCbCr, RGB, CMYK, YCCK."""
    adobe: int
    """Transform in Adobe's segment; -1 if there is no such segment."""
    scans: int
    is_buffered: bool
    """Whether a decoder holds all coefficients of the image until the last scan."""
    orientation: int

    @property
    def kept_coefficients(self) -> int:
        """Number of coefficients, of 16 bits each, that a decoder holds."""
        return sum(64 * self.frame.blocks(each) for each in self.frame.components) if self.is_buffered else 0


def read_structure(data: bytes) -> Structure:
    """Walks over the segments.

    Raises:
        BadImage: damaged, without a frame or one of its components, or of too many scans or segments.
        UnsupportedType: 12-bit, lossless, hierarchical or arithmetically coded, or not of 1, 3 or 4 components.
    """
    frame, jfif, adobe, turned = None, False, -1, 0
    scans: list[bytes] = []
    for kind, start, end in segments(data):
        if kind not in _TELLING:
            continue
        if kind == SCAN:
            scans.append(data[start + 4 : end])
        elif scans:
            continue
        elif kind in _FRAMES:
            if frame is not None:
                raise BadImage("damaged JPEG: it has two frames")
            frame = _frame(kind, data[start + 4 : end])
        elif kind == APP0:
            jfif |= is_jfif(data, start, end)
        elif kind == APP1 and not turned and data.startswith(PREFIX, start + 4, end):
            turned = orientation(data[start + 4 : end])
        elif kind == APP14 and is_adobe(data, start, end):
            adobe = data[start + 15]
    if frame is None or not scans:
        raise BadImage(f"damaged JPEG: no picture in its {len(data)} bytes")
    is_buffered = frame.kind == PROGRESSIVE or 3 * scans[0][0] < len(frame.planes)
    if is_buffered and not _has_all_planes(frame, scans):
        raise BadImage(f"damaged JPEG of {len(data)} bytes: no scan of one of its components")
    return Structure(frame, _colorspace(frame, jfif, adobe), adobe, len(scans), is_buffered, turned or UPRIGHT)


def segments(data: bytes) -> Iterator[Segment]:
    """Yields marker, start and end of each segment after the first marker; the last one is `END` or `CUT`.

    The coded data of a scan is between its segment's end and the next segment's start.

    Raises:
        BadImage: more than 64 scans or 320 segments, or a truncated one.
        UnsupportedType: a frame that is neither baseline nor extended nor progressive, in Huffman coding.
    """
    scans, start, size = 0, 2, len(data)
    for _ in range(_MAX_SEGMENTS):
        mark, kind, length = _HEAD(data, start) if start + 4 <= size else _NOWHERE
        if mark != 0xFF or kind < 0xC0 or 0xD0 <= kind < SCAN or kind == 0xFF:
            marker = _MARKER.search(data, start)
            if marker is None:
                yield CUT, size, size
                return
            start = marker.start()
            kind = data[start + 1]
            if kind in (START, END):  # another image may follow one without an end marker
                yield END if kind == END else CUT, start, start + 2
                return
            length = int.from_bytes(data[start + 2 : start + 4])
        end = start + 2 + (length or 2)
        if end > size:
            raise BadImage(f"damaged JPEG: its {size} bytes end within the segment 0xff{kind:02x}")
        if kind == SCAN:
            scans += 1
            _check_scan(scans, end - start)
        elif kind in _ODD_FRAMES:
            raise UnsupportedType("{} is not supported; {}".format(*_ODD_FRAMES[kind]))
        yield kind, start, end
        start = end
    raise BadImage(f"JPEG of more than {_MAX_SEGMENTS} segments; the limit is {_MAX_SEGMENTS}")


def _check_scan(number: int, header_bytes: int) -> None:
    if number > _MAX_SCANS:
        raise BadImage(f"JPEG of {number} or more scans; the limit is {_MAX_SCANS}")
    if header_bytes < _SCAN_BYTES:
        raise BadImage(f"damaged JPEG: a scan's header of {header_bytes} bytes")


def _has_all_planes(frame: Frame, scans: list[bytes]) -> bool:
    """Whether each component has a scan; in a progressive JPEG, a first scan of coefficient 0."""
    first = scans if frame.kind != PROGRESSIVE else [scan for scan in scans if scan[-3] == 0 and scan[-1] < 16]
    return 3 * sum(scan[0] for scan in first) >= len(frame.planes)


def is_jfif(data: bytes, start: int, end: int) -> bool:
    """Whether libjpeg reads the segment APP0 as JFIF's."""
    return end - start - 4 >= _JFIF_BYTES and data.startswith(_JFIF, start + 4)


def is_adobe(data: bytes, start: int, end: int) -> bool:
    """Whether libjpeg reads the segment APP14 as Adobe's."""
    return end - start - 4 >= _ADOBE_BYTES and data.startswith(_ADOBE, start + 4)


def _frame(kind: int, body: bytes) -> Frame:
    """Parses a frame header."""
    if len(body) < _FRAME.size or len(body) != _FRAME.size + 3 * body[5]:
        raise BadImage(f"damaged JPEG header: a frame of {len(body)} bytes")
    precision, height, width, count = _FRAME.unpack_from(body)
    if precision == 12:
        raise UnsupportedType(f"a 12-bit JPEG is not supported; {_NEW_CODE}")
    if precision != 8:
        raise BadImage(f"damaged JPEG header: {precision} bits a sample")
    if count not in (1, 3, 4):
        raise UnsupportedType(f"a JPEG of {count} components is not supported; send one of 1, 3 or 4")
    return Frame(kind, height, width, body[_FRAME.size :])


def _colorspace(frame: Frame, jfif: bool, adobe: int) -> str:
    """Names the colour space by libjpeg's rule, `default_decompress_parms` in jdapimin.c.

    Args:
        frame: of 1, 3 or 4 components.
        jfif: whether there is a JFIF segment.
        adobe: the transform in Adobe's segment; -1 if there is none.
    """
    if len(frame.planes) == 3:
        return "Gray"
    if len(frame.planes) == 12:
        return "CMYK" if adobe in (-1, 0) else "YCCK"
    if jfif or adobe > 0:
        return "YCbCr"
    return "RGB" if adobe == 0 or frame.planes[::3] == b"RGB" else "YCbCr"
