"""`models.imaging.exif`: the orientation, read from sound and damaged EXIF."""

from __future__ import annotations

import random
import struct

import pytest

from models.imaging.exif import orientation


def exif(order: str, *, tag: int = 0x0112, type_: int = 3, value: int = 6, before: int = 0) -> bytes:
    """One IFD with `before` other entries and then the one described."""
    other = struct.pack(f"{order}HHIHH", 0x010F, 3, 1, 7, 0)
    entry = struct.pack(f"{order}HHIHH", tag, type_, 1, value, 0)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IH", 8, before + 1) + other * before + entry + bytes(4)


@pytest.mark.parametrize("prefix", [pytest.param(b"", id="bare"), pytest.param(b"Exif\0\0", id="prefixed")])
@pytest.mark.parametrize("order", [pytest.param("<", id="little endian"), pytest.param(">", id="big endian")])
@pytest.mark.parametrize("value", range(1, 9))
def test_reads_every_orientation(value: int, order: str, prefix: bytes) -> None:
    assert orientation(prefix + exif(order, value=value)) == value


def test_other_tags_before_it_are_passed_over() -> None:
    assert orientation(exif("<", before=5)) == 6


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"Exif\0\0", id="only the prefix"),
        pytest.param(b"II*\0", id="only the byte order"),
        pytest.param(b"XX*\0" + exif("<")[4:], id="unknown byte order"),
        pytest.param(exif("<")[:16], id="cut inside the entry"),
        pytest.param(exif("<", tag=0x0113), id="no such tag"),
        pytest.param(exif("<", type_=2), id="not a number"),
        pytest.param(exif("<", value=0), id="value 0"),
        pytest.param(exif("<", value=9), id="value 9"),
        pytest.param(b"MM\0*\xff\xff\xff\xff", id="offset outside"),
    ],
)
def test_absent_or_damaged_exif_means_upright(data: bytes) -> None:
    assert orientation(data) == 1


def test_any_bytes_give_an_orientation() -> None:
    dice = random.Random(0)
    for _ in range(500):
        damaged = bytearray(exif(dice.choice("<>"), before=2))
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        assert orientation(bytes(damaged)) in range(1, 9)
