"""sampling factors ──▶ a JPEG of just those: what no program here writes; and its segments, to damage it by."""

from __future__ import annotations

import random
import re
import struct
from itertools import product

from models.imaging.jpeg.jpeg_segments import SCAN, Segment, segments

Factors = tuple[int, int]

END = b"\xff\xd9"
_DC_BITS, _AC_BITS = 3, 2  # all codes of a table have as many
_AC_SYMBOLS = (0x00, 0x01, 0x11)  # end of block; a coefficient of one bit, at once or after a zero


def segment(kind: int, body: bytes) -> bytes:
    """A marker and its data."""
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    """Adobe's segment."""
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def sampled(
    factors: list[Factors], *, width: int = 70, height: int = 45, interval: int = 0, start: bytes = b""
) -> bytes:
    """A baseline JPEG of random blocks.

    Args:
        factors: across and down, of each component.
        width: in pixels.
        height: in pixels.
        interval: units between restart markers.
        start: segments right after the first marker, which say what colours it has.
    """
    count = len(factors)
    frame = b"".join(bytes([id_, across << 4 | down, 0]) for id_, (across, down) in enumerate(factors, 1))
    scan = b"".join(bytes([id_, 0]) for id_ in range(1, count + 1))
    return b"".join(
        (
            b"\xff\xd8" + start,
            segment(0xDB, bytes(1) + b"\x10" * 64),
            segment(0xC0, struct.pack(">BHHB", 8, height, width, count) + frame),
            segment(0xC4, b"\x00" + _lengths(_DC_BITS, 6) + bytes(range(6))),
            segment(0xC4, b"\x10" + _lengths(_AC_BITS, 3) + bytes(_AC_SYMBOLS)),
            segment(0xDD, struct.pack(">H", interval)),
            segment(0xDA, bytes([count]) + scan + b"\0\x3f\0"),
            _coded(factors, _units(factors, width, height), interval),
            END,
        )
    )


def _lengths(bits: int, count: int) -> bytes:
    return bytes(count if length == bits else 0 for length in range(1, 17))


def _units(factors: list[Factors], width: int, height: int) -> int:
    if len(factors) == 1:
        return -(-width // 8) * -(-height // 8)
    across, down = (8 * max(factor[place] for factor in factors) for place in (0, 1))
    return -(-width // across) * -(-height // down)


def _coded(factors: list[Factors], units: int, interval: int) -> bytes:
    dice = random.Random(repr(factors))
    found = []
    per_part = interval or units
    for number, first in enumerate(range(0, units, per_part)):
        levels = [0] * len(factors)
        bits = ""
        for _ in range(min(per_part, units - first)):
            for plane, (across, down) in enumerate(factors):
                for _ in range(across * down if len(factors) > 1 else 1):
                    bits += _block(dice, levels, plane)
        bits += "1" * (-len(bits) % 8)
        found.append(int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0"))
        found.append(bytes([0xFF, 0xD0 + number % 8]))
    return b"".join(found[:-1])


def _block(dice: random.Random, levels: list[int], plane: int) -> str:
    """The difference of its first coefficient, perhaps another coefficient, and its end."""
    step = dice.randrange(-31, 32)
    if abs(levels[plane] + step) > 60:
        step = -step
    levels[plane] += step
    size = abs(step).bit_length()
    bits = f"{size:03b}" + (f"{step if step > 0 else step + (1 << size) - 1:0{size}b}" if size else "")
    return bits + dice.choice(("", "010", "011", "100", "101")) + "00"


def scans_of(data: bytes) -> list[Segment]:
    """Its scans' headers."""
    return [mark for mark in segments(data) if mark[0] == SCAN]


def inserted(data: bytes, place: int, junk: bytes) -> bytes:
    """The file with other bytes at a place."""
    return data[:place] + junk + data[place:]


def restarts(data: bytes) -> list[int]:
    """Where its restart markers are; what is put before the first scan has none."""
    start = scans_of(data)[0][2]
    return [start + marker.start() for marker in re.finditer(rb"\xff[\xd0-\xd7]", data[start:])]


def legal_samplings() -> list[list[Factors]]:
    """Factors of three components, of no more blocks a unit than the 10 that ITU T.81 allows."""
    each: list[Factors] = list(product((1, 2, 3, 4), (1, 2, 3, 4)))
    return [
        [luma, blue, red]
        for luma, blue, red in product(each, each, each)
        if sum(across * down for across, down in (luma, blue, red)) <= 10
    ]
