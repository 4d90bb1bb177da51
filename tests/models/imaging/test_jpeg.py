"""`models.imaging.jpeg`: passes over a JPEG, counted by its markers."""

from __future__ import annotations

import pytest

from models.errors import BadImage, UnsupportedType
from models.imaging.jpeg import count_scans
from tests.models import encoded

BASELINE = encoded.encode(encoded.picture(), "JPEG")
TABLES = BASELINE.index(b"\xff\xdb")


def with_segments(count: int) -> bytes:
    """The picture with so many empty comments."""
    return BASELINE[:TABLES] + b"\xff\xfe\0\2" * count + BASELINE[TABLES:]


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        pytest.param(BASELINE, 1, id="baseline"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", progressive=True), 10, id="progressive"),
        pytest.param(encoded.encode(encoded.picture(mode="CMYK"), "JPEG", progressive=True), 18, id="progressive CMYK"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", restart_marker_rows=1), 1, id="restart markers"),
        pytest.param(encoded.jpeg_with_scans(64), 64, id="as many scans as the limit"),
        pytest.param(encoded.jpeg_with_comment(b"\xff\xda" * 400), 1, id="scans in a comment"),
        pytest.param(BASELINE + b"\xff\xda" * 400, 1, id="scans behind the end"),
        pytest.param(BASELINE[:TABLES] + b"\xff\x01" + BASELINE[TABLES:], 1, id="a marker that stands alone"),
        pytest.param(BASELINE[:TABLES] + b"\xff" * 99 + BASELINE[TABLES:], 1, id="fill bytes"),
        pytest.param(with_segments(300), 1, id="300 comments"),
        pytest.param(BASELINE[:-2], 1, id="no end"),
        pytest.param(b"\xff\xd8\xff", 0, id="three bytes"),
    ],
)
def test_the_scans_of_the_first_image_are_counted(data: bytes, scans: int) -> None:
    assert count_scans(data) == scans


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(encoded.jpeg_with_scans(65), "JPEG of 65 or more scans; the limit is 64", id="65 scans"),
        pytest.param(encoded.jpeg_with_scans(400)[:-2], "65 or more scans", id="400 scans and no end"),
        pytest.param(with_segments(400), "JPEG of more than 320 segments", id="400 comments"),
    ],
)
def test_more_than_any_program_writes_is_a_bad_image(data: bytes, text: str) -> None:
    with pytest.raises(BadImage, match=text):
        count_scans(data)


@pytest.mark.parametrize("frame", [0xC3, 0xC5, 0xC9, 0xCA, 0xCB, 0xCF], ids=hex)
def test_frames_that_no_browser_shows_are_unsupported(frame: int) -> None:
    with pytest.raises(UnsupportedType, match=f"frame of type 0xff{frame:02x}"):
        count_scans(BASELINE.replace(b"\xff\xc0", bytes([0xFF, frame]), 1))
