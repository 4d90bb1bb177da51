"""`models.imaging.jpeg.jpeg_segments`: what one walk over a JPEG's markers finds, and what it refuses."""

from __future__ import annotations

import pytest
from PIL import Image

from models.errors import BadImage, UnsupportedType
from models.imaging.jpeg.jpeg_segments import read_structure
from tests.models import encoded, jpegs

BASELINE = encoded.encode(encoded.picture(), "JPEG")
TABLES = BASELINE.index(b"\xff\xdb")
FRAME = BASELINE.index(b"\xff\xc0")
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # orientation 6


def with_segments(count: int) -> bytes:
    """The picture with so many empty comments."""
    return BASELINE[:TABLES] + b"\xff\xfe\0\2" * count + BASELINE[TABLES:]


def with_ids(ids: bytes, start: bytes = b"") -> bytes:
    """A JPEG whose components are named so."""
    data = jpegs.sampled([(1, 1)] * len(ids), start=start)
    for number, id_ in enumerate(ids):
        frame, scan = data.index(b"\xff\xc0") + 10 + 3 * number, data.index(b"\xff\xda") + 5 + 2 * number
        data = data[:frame] + bytes([id_]) + data[frame + 1 : scan] + bytes([id_]) + data[scan + 1 :]
    return data


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
        pytest.param(BASELINE[:-2] + BASELINE, 1, id="a second image behind one without an end"),
        pytest.param(BASELINE[:TABLES] + b"\xff\x01" + BASELINE[TABLES:], 1, id="a marker that stands alone"),
        pytest.param(BASELINE[:TABLES] + b"\xff" * 99 + BASELINE[TABLES:], 1, id="fill bytes"),
        pytest.param(BASELINE[:TABLES] + b"\xff\xfe\0\0" + BASELINE[TABLES:], 1, id="a comment of length 0"),
        pytest.param(with_segments(300), 1, id="300 comments"),
        pytest.param(BASELINE[:-2], 1, id="no end"),
    ],
)
def test_the_scans_of_the_first_image_are_counted(data: bytes, scans: int) -> None:
    assert read_structure(data).scans == scans


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(encoded.jpeg_with_scans(65), "JPEG of 65 or more scans; the limit is 64", id="65 scans"),
        pytest.param(encoded.jpeg_with_scans(400)[:-2], "65 or more scans", id="400 scans and no end"),
        pytest.param(with_segments(400), "JPEG of more than 320 segments", id="400 comments"),
        pytest.param(b"\xff\xd8\xff", "no picture in its 3 bytes", id="three bytes"),
        pytest.param(BASELINE[:TABLES] + b"\xff\xd9", "no picture", id="no frame"),
        pytest.param(BASELINE[: FRAME + 19] + b"\xff\xd9", "no picture", id="no scan"),
        pytest.param(BASELINE[: FRAME + 5], "end within the segment 0xffc0", id="cut within the frame"),
        pytest.param(BASELINE[:FRAME] * 2 + BASELINE[FRAME:], "no picture", id="a second start"),
        pytest.param(
            BASELINE.replace(b"\xff\xdb", BASELINE[FRAME : FRAME + 19] + b"\xff\xdb", 1), "two", id="two frames"
        ),
        pytest.param(BASELINE.replace(b"\xff\xc0\0\x11", b"\xff\xc0\0\x10"), "frame of 14 bytes", id="a short frame"),
        pytest.param(BASELINE.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x09"), "9 bits a sample", id="9 bits"),
        pytest.param(BASELINE.replace(b"\xff\xda\0\x0c", b"\xff\xda\0\x05"), "header of 7 bytes", id="a short scan"),
        pytest.param(
            BASELINE.replace(b"\xff\xda\0\x0c\x03", b"\xff\xda\0\x0c\x02"),
            "no scan of one of",
            id="a missing component",
        ),
    ],
)
def test_what_no_program_writes_is_a_bad_image(data: bytes, text: str) -> None:
    with pytest.raises(BadImage, match=text):
        read_structure(data)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        pytest.param(0xC3, "a lossless JPEG .* djpeg in.jpg | cjpeg", id="lossless"),
        *[
            pytest.param(kind, "a hierarchical JPEG .* baseline JPEG", id=f"hierarchical {kind:#x}")
            for kind in (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
        ],
        pytest.param(0xC9, "an arithmetically coded JPEG .* jpegtran in.jpg", id="arithmetic"),
        pytest.param(0xCA, "an arithmetically coded JPEG .* jpegtran in.jpg", id="arithmetic and progressive"),
        pytest.param(0xCB, "an arithmetically coded lossless JPEG .* baseline JPEG", id="arithmetic and lossless"),
        pytest.param(0xF7, "a JPEG-LS .* ffmpeg", id="JPEG-LS"),
    ],
)
def test_frames_that_no_browser_shows_are_unsupported_by_name(frame: int, text: str) -> None:
    with pytest.raises(UnsupportedType, match=text):
        read_structure(BASELINE.replace(b"\xff\xc0", bytes([0xFF, frame]), 1))


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2], ids=hex)
def test_12_bits_are_unsupported_by_name(frame: int) -> None:
    with pytest.raises(UnsupportedType, match=r"a 12-bit JPEG .* djpeg in.jpg \| cjpeg"):
        read_structure(BASELINE.replace(b"\xff\xc0\0\x11\x08", bytes([0xFF, frame]) + b"\0\x11\x0c", 1))


@pytest.mark.parametrize("count", [2, 5])
def test_other_numbers_of_components_are_unsupported(count: int) -> None:
    with pytest.raises(UnsupportedType, match=f"a JPEG of {count} components"):
        read_structure(jpegs.sampled([(1, 1)] * count))


@pytest.mark.parametrize(
    ("data", "colorspace"),
    [
        pytest.param(with_ids(b"\1"), "Gray", id="one component"),
        pytest.param(with_ids(b"\1\2\3"), "YCbCr", id="1, 2, 3"),
        pytest.param(with_ids(b"\0\1\2"), "YCbCr", id="0, 1, 2"),
        pytest.param(with_ids(b"RGB"), "RGB", id="R, G, B"),
        pytest.param(with_ids(b"RGB", jpegs.JFIF), "YCbCr", id="R, G, B in JFIF"),
        pytest.param(with_ids(b"\1\2\3", jpegs.adobe(0)), "RGB", id="Adobe's transform 0"),
        pytest.param(with_ids(b"RGB", jpegs.adobe(1)), "YCbCr", id="Adobe's transform 1"),
        pytest.param(with_ids(b"RGB", jpegs.adobe(7)), "YCbCr", id="Adobe's transform 7"),
        pytest.param(with_ids(b"\1\2\3", jpegs.JFIF + jpegs.adobe(0)), "YCbCr", id="transform 0 in JFIF"),
        pytest.param(with_ids(b"\1\2\3\4"), "CMYK", id="four components"),
        pytest.param(with_ids(b"\1\2\3\4", jpegs.adobe(0)), "CMYK", id="four, transform 0"),
        pytest.param(with_ids(b"\1\2\3\4", jpegs.adobe(2)), "YCCK", id="four, transform 2"),
        pytest.param(with_ids(b"\1\2\3\4", jpegs.adobe(7)), "YCCK", id="four, transform 7"),
        pytest.param(with_ids(b"\1\2\3", jpegs.segment(0xE0, b"JFIF\0\1\1")), "YCbCr", id="a JFIF segment cut short"),
    ],
)
def test_the_colour_space_is_what_libjpeg_says(data: bytes, colorspace: str) -> None:
    assert read_structure(data).colorspace == colorspace


def with_exif(place: int, data: bytes = BASELINE) -> bytes:
    """The picture with EXIF that says it lies on its side."""
    return jpegs.inserted(data, place, jpegs.segment(0xE1, EXIF))


@pytest.mark.parametrize(
    ("data", "orientation"),
    [
        pytest.param(with_exif(2), 6, id="first of all"),
        pytest.param(with_exif(FRAME), 6, id="behind the tables"),
        pytest.param(with_exif(jpegs.scans_of(BASELINE)[0][1]), 6, id="right before the scan"),
        pytest.param(
            with_exif(2, jpegs.inserted(BASELINE, 2, jpegs.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"))),
            6,
            id="before XMP",
        ),
        pytest.param(BASELINE[:-2] + jpegs.segment(0xE1, EXIF) + BASELINE[-2:], 1, id="behind the scan"),
        pytest.param(encoded.jpeg_with_comment(EXIF), 1, id="in a comment"),
        pytest.param(BASELINE + with_exif(2), 1, id="of a second image"),
        pytest.param(BASELINE[:-2] + with_exif(2), 1, id="of a second image behind one without an end"),
        pytest.param(jpegs.inserted(BASELINE, 2, jpegs.segment(0xE1, b"XMP " + EXIF)), 1, id="within XMP"),
        pytest.param(
            jpegs.inserted(BASELINE, 2, jpegs.segment(0xE1, b"Exif\0\0II*\0") + jpegs.segment(0xED, EXIF)),
            1,
            id="in another segment",
        ),
        pytest.param(BASELINE.replace(b"JFIF", b"JFXX", 1)[:-2] + b"\xff\xd9" + EXIF, 1, id="as bytes behind the end"),
    ],
)
def test_orientation_is_of_the_first_images_own_exif(data: bytes, orientation: int) -> None:
    assert read_structure(data).orientation == orientation


def test_exif_of_a_thumbnail_is_passed_over() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    thumbnail = with_exif(2)
    segment = jpegs.segment(0xE1, exif.tobytes() + thumbnail)
    assert read_structure(jpegs.inserted(BASELINE, 2, segment)).orientation == 1


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        pytest.param(jpegs.sampled([(2, 2), (1, 1), (1, 1)]), 0, id="baseline keeps none"),
        pytest.param(encoded.encode(encoded.picture(64, 48, "L"), "JPEG", progressive=True), 64 * 48, id="grey"),
        pytest.param(
            encoded.encode(encoded.picture(64, 48), "JPEG", progressive=True, subsampling=2),
            64 * 48 * 3 // 2,
            id="4:2:0",
        ),
        pytest.param(encoded.encode(encoded.picture(64, 48, "CMYK"), "JPEG", progressive=True), 64 * 48 * 4, id="CMYK"),
    ],
)
def test_a_progressive_jpeg_keeps_every_coefficient(data: bytes, kept: int) -> None:
    assert read_structure(data).kept_coefficients == kept


def test_sampling_factors_over_4_are_a_bad_image() -> None:
    data = bytearray(encoded.encode(encoded.picture(), "JPEG", progressive=True))
    data[data.index(b"\xff\xc2") + 11] = 0x50
    with pytest.raises(BadImage, match=r"sampling \[\(5, 0\)"):
        _ = read_structure(bytes(data)).kept_coefficients
