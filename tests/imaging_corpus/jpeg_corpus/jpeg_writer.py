"""planes ──▶ JPEG in any sampling, of 1 to 4 components, in any scans: no library writes most of them.

Written from ITU T.81 and from nothing of the decoder: float DCT, the standard's tables, Huffman coding. A progressive
file has spectral selection only; Pillow writes those with successive approximation.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.imaging_corpus.jpeg_corpus.segments import DHT, DQT, SOS, segment, walk

Plane = NDArray[np.float64]
Sampling = Sequence[tuple[int, int]]
"""Horizontal and vertical factor of each component."""

_ZIGZAG = sorted(range(64), key=lambda n: (n // 8 + n % 8, (n % 8, n // 8)[(n // 8 + n % 8) % 2]))
_DCT = np.cos((2 * np.arange(8) + 1) * np.arange(8)[:, None] * np.pi / 16) / 2
_DCT[0] /= np.sqrt(2)
_BANDS = ((1, 5), (6, 63))  # of the AC coefficients, in the scans of a progressive file
_SOF0, _SOF2 = 0xC0, 0xC2


@dataclass(frozen=True)
class Coding:
    """How a JPEG is written."""

    sampling: Sampling
    quality: int = 90
    restart: int = 0
    """MCUs between restart markers; 0 for none."""
    interleaved: bool = True
    progressive: bool = False
    flat: bool = False
    """Huffman codes of one length instead of the standard's."""
    ids: bytes = b"\x01\x02\x03\x04"
    markers: bytes = b""
    """Segments between SOI and the tables."""


def write_jpeg(planes: Sequence[Plane], coding: Coding) -> bytes:
    """A JPEG of planes `[H, W]` with values 0..255, each reduced as its sampling factors say."""
    luma, chroma = _quantization(coding.quality)
    height, width = planes[0].shape
    across, down = (max(factors) for factors in zip(*coding.sampling, strict=True))
    mcus = (_over(width, 8 * across), _over(height, 8 * down))
    coefficients, used = [], []
    for number, (plane, (h, v)) in enumerate(zip(planes, coding.sampling, strict=True)):
        reduced = _reduce(plane, across // h, down // v)
        blocks = _blocks(reduced, mcus[1] * v, mcus[0] * h)
        coefficients.append(_quantized(blocks, chroma if 0 < number < 3 else luma))
        used.append((_over(_over(width * h, across), 8), _over(_over(height * v, down), 8)))
    tables = _tables(coding.flat)
    frame = struct.pack(">BHHB", 8, height, width, len(planes)) + b"".join(
        struct.pack("BBB", id_, h << 4 | v, 0 < number < 3)
        for number, (id_, (h, v)) in enumerate(zip(coding.ids[: len(planes)], coding.sampling, strict=True))
    )
    parts = [b"\xff\xd8", coding.markers]
    parts += [segment(DQT, bytes([n]) + bytes(table)) for n, table in enumerate((luma, chroma))]
    parts.append(segment(_SOF2 if coding.progressive else _SOF0, frame))
    parts += [segment(DHT, bytes([n]) + table.definition) for n, table in tables.items()]
    if coding.restart:
        parts.append(segment(0xDD, struct.pack(">H", coding.restart)))
    for members, first, last in _scans(len(planes), coding):
        parts.append(_scan_header(members, first, last, coding))
        units = _units(members, coding, mcus, used)
        parts.append(_coded([[(c, coefficients[c][y, x]) for c, y, x in unit] for unit in units], first, last, coding))
    return b"".join(parts) + b"\xff\xd9"


def _over(count: int, size: int) -> int:
    """How many of a size are needed for so many."""
    return -(-count // size)


def _scans(count: int, coding: Coding) -> list[tuple[list[int], int, int]]:
    groups = [list(range(count))] if coding.interleaved else [[number] for number in range(count)]
    if not coding.progressive:
        return [(group, 0, 63) for group in groups]
    return [(group, 0, 0) for group in groups] + [([n], *band) for band in _BANDS for n in range(count)]


def _scan_header(members: list[int], first: int, last: int, coding: Coding) -> bytes:
    chosen = b"".join(bytes([coding.ids[number], 0x11 * (0 < number < 3)]) for number in members)
    return segment(SOS, bytes([len(members)]) + chosen + bytes([first, last, 0]))


def _units(
    members: list[int], coding: Coding, mcus: tuple[int, int], used: list[tuple[int, int]]
) -> list[list[tuple[int, int, int]]]:
    """The blocks of each MCU as component, row and column; a component alone has one block in each."""
    if len(members) == 1:
        columns, rows = used[members[0]]
        return [[(members[0], y, x)] for y in range(rows) for x in range(columns)]
    return [
        [
            (number, y * coding.sampling[number][1] + dy, x * coding.sampling[number][0] + dx)
            for number in members
            for dy in range(coding.sampling[number][1])
            for dx in range(coding.sampling[number][0])
        ]
        for y in range(mcus[1])
        for x in range(mcus[0])
    ]


def _coded(units: list[list[tuple[int, list[int]]]], first: int, last: int, coding: Coding) -> bytes:
    """Entropy-coded data, with restart markers."""
    step = coding.restart or len(units)
    pieces = []
    for number, start in enumerate(range(0, len(units), step)):
        if number:
            pieces.append(bytes([0xFF, 0xD0 + (number - 1) % 8]))
        bits, before = [], [0] * 4
        for component, block in (one for unit in units[start : start + step] for one in unit):
            tables, chroma = _tables(coding.flat), 0 < component < 3
            if first == 0:
                bits.append(_dc(block[0] - before[component], tables[0x00 + chroma].codes))
                before[component] = block[0]
            bits.append(_ac(block[max(first, 1) : last + 1], tables[0x10 + chroma].codes))
        pieces.append(_stuffed("".join(bits)))
    return b"".join(pieces)


def _stuffed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int("0" + bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _dc(difference: int, codes: dict[int, str]) -> str:
    size = abs(difference).bit_length()
    return codes[size] + _magnitude(difference, size)


def _ac(coefficients: Sequence[int], codes: dict[int, str]) -> str:
    bits, zeros = [], 0
    for value in coefficients:
        if not value:
            zeros += 1
            continue
        bits.append(codes[0xF0] * (zeros // 16))
        size = abs(value).bit_length()
        bits.append(codes[zeros % 16 << 4 | size] + _magnitude(value, size))
        zeros = 0
    return "".join(bits) + (codes[0] if zeros else "")


def _magnitude(value: int, size: int) -> str:
    return format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else ""


def _reduce(plane: Plane, across: int, down: int) -> Plane:
    """Means of rectangles."""
    height, width = plane.shape
    plane = np.pad(plane, ((0, -height % down), (0, -width % across)), mode="edge")
    return plane.reshape(plane.shape[0] // down, down, plane.shape[1] // across, across).mean((1, 3))


def _blocks(plane: Plane, rows: int, columns: int) -> Plane:
    """`[rows, columns, 8, 8]`"""
    plane = plane[: 8 * rows, : 8 * columns]
    padded = np.pad(plane, ((0, 8 * rows - plane.shape[0]), (0, 8 * columns - plane.shape[1])), mode="edge")
    return padded.reshape(rows, 8, columns, 8).swapaxes(1, 2) - 128


def _quantized(blocks: Plane, table: list[int]) -> NDArray[np.object_]:
    """Coefficients in zigzag order, lists of 64 ints `[rows, columns]`."""
    transformed = (_DCT @ blocks @ _DCT.T).reshape(*blocks.shape[:2], 64)[..., _ZIGZAG]
    whole = np.clip(np.rint(transformed / table), -1023, 1023).astype(int)
    found = np.empty(blocks.shape[:2], object)
    for place in np.ndindex(*found.shape):
        found[place] = whole[place].tolist()
    return found


@dataclass(frozen=True)
class _Table:
    definition: bytes
    """Counts of codes by length, and values, as DHT holds them."""

    @functools.cached_property
    def codes(self) -> dict[int, str]:
        codes, code, position = {}, 0, 16
        for length, count in enumerate(self.definition[:16], 1):
            for value in self.definition[position : position + count]:
                codes[value] = format(code, f"0{length}b")
                code += 1
            position += count
            code <<= 1
        return codes


@functools.cache
def _tables(flat: bool) -> dict[int, _Table]:
    """Huffman tables by class and number: T.81 annex K's, or their values in codes of 4 and 8 bits."""
    found = {}
    left = b"".join(content for marker, _, content in walk(_of_pillow(75)) if marker == DHT)
    while left:
        end = 17 + sum(left[1:17])
        found[left[0]] = _Table(left[1:end])
        left = left[end:]
    if flat:
        for number, table in found.items():
            values, length = table.definition[16:], 8 if number & 0x10 else 4
            found[number] = _Table(bytes(len(values) * (n == length) for n in range(1, 17)) + values)
    return found


@functools.cache
def _quantization(quality: int) -> tuple[list[int], list[int]]:
    """Annex K's tables at a quality, in zigzag order."""
    found = b"".join(content for marker, _, content in walk(_of_pillow(quality)) if marker == DQT)
    return list(found[1:65]), list(found[66:130])


@functools.cache
def _of_pillow(quality: int) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (8, 8)).save(body, "JPEG", quality=quality)
    return body.getvalue()
