"""`models.imaging.decode`: type and size from the first bytes."""

from __future__ import annotations

import base64

import pytest

from models.errors import BadImage, UnsupportedType
from models.imaging.decode import read_header
from models.imaging.types import Header
from tests.models import encoded

# The smallest WebP header there is, of 26 bytes; 11330x446, and no pixels behind it.
SMALLEST_WEBP = base64.b64decode("UklGRhIAAABXRUJQVlA4TAYAAAAvQWxvAGs=")


@pytest.mark.parametrize(
    ("data", "header"),
    [
        pytest.param(encoded.encode(encoded.picture(7, 5), "JPEG"), Header("jpeg", 7, 5, "YCbCr"), id="colour JPEG"),
        pytest.param(encoded.encode(encoded.picture(7, 5, "L"), "JPEG"), Header("jpeg", 7, 5, "Gray"), id="grey JPEG"),
        pytest.param(
            encoded.encode(encoded.picture(7, 5, "CMYK"), "JPEG"), Header("jpeg", 7, 5, "CMYK"), id="CMYK JPEG"
        ),
        pytest.param(
            encoded.encode(encoded.picture(7, 5), "JPEG", progressive=True),
            Header("jpeg", 7, 5, "YCbCr"),
            id="progressive JPEG",
        ),
        pytest.param(encoded.encode(encoded.picture(7, 5), "PNG"), Header("png", 7, 5), id="PNG"),
        pytest.param(encoded.encode(encoded.picture(7, 5), "WEBP"), Header("webp", 7, 5), id="WebP VP8 (lossy)"),
        pytest.param(
            encoded.encode(encoded.picture(7, 5), "WEBP", lossless=True),
            Header("webp", 7, 5),
            id="WebP VP8L (lossless)",
        ),
        pytest.param(
            encoded.encode(encoded.picture(700, 513), "WEBP", lossless=True),
            Header("webp", 700, 513),
            id="large WebP VP8L",
        ),
        pytest.param(
            encoded.encode(encoded.picture(700, 513), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
            Header("webp", 700, 513),
            id="WebP VP8X (extended)",
        ),
        pytest.param(SMALLEST_WEBP, Header("webp", 11330, 446), id="WebP of 26 bytes"),
        pytest.param(encoded.png_header(30000, 30000), Header("png", 30000, 30000), id="PNG header of 30000x30000"),
    ],
)
def test_type_and_size_come_from_the_first_bytes(data: bytes, header: Header) -> None:
    found = read_header(data)
    assert (found.type, found.width, found.height) == (header.type, header.width, header.height)
    assert found.colorspace == header.colorspace


def test_pixels_is_width_times_height() -> None:
    assert Header("png", 30000, 30000).pixels == 900_000_000


def test_webp_kinds_are_the_ones_meant() -> None:
    chunks = [
        encoded.encode(encoded.picture(), "WEBP")[12:16],
        encoded.encode(encoded.picture(), "WEBP", lossless=True)[12:16],
        encoded.encode(encoded.picture(), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")[12:16],
    ]
    assert chunks == [b"VP8 ", b"VP8L", b"VP8X"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"this is no image", id="text"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="SVG"),
        pytest.param(b'<?xml version="1.0"?><svg/>', id="SVG after an XML declaration"),
        pytest.param(encoded.encode(encoded.picture(), "GIF"), id="GIF"),
        pytest.param(encoded.animated("GIF"), id="animated GIF"),
        pytest.param(encoded.encode(encoded.picture(), "BMP"), id="BMP"),
        pytest.param(encoded.encode(encoded.picture(), "TIFF"), id="TIFF"),
        pytest.param(encoded.animated("WEBP"), id="animated WebP"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt ", id="RIFF that is a sound"),
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b"x", id="one letter"),
    ],
)
def test_other_types_and_animations_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedType):
        read_header(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"\x89PNG", id="half a PNG signature"),
        pytest.param(b"\xff\xd8", id="half a JPEG signature"),
        pytest.param(encoded.png_header(8, 8)[:32], id="PNG cut in its header"),
        pytest.param(encoded.png_header(8, 8).replace(b"IHDR", b"JHDR"), id="PNG without header chunk"),
        pytest.param(encoded.png_header(0, 8), id="PNG of width 0"),
        pytest.param(encoded.png_header(8, 0), id="PNG of height 0"),
        pytest.param(b"\xff\xd8\xff\xe0", id="JPEG cut in its header"),
        pytest.param(b"\xff\xd8\xff" + b"\0" * 100, id="JPEG of zeros"),
        pytest.param(b"RIFF\x24\0\0\0WEBP", id="WebP without chunks"),
        pytest.param(b"RIFF\x24\0\0\0WEBPJUNK" + b"\0" * 30, id="WebP that starts with another chunk"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP")[:29], id="WebP cut in its VP8 header"),
        pytest.param(SMALLEST_WEBP[:24], id="WebP cut in its VP8L header"),
        pytest.param(b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 30, id="WebP of size 0x0"),
    ],
)
def test_damaged_headers_are_bad_images(data: bytes) -> None:
    with pytest.raises(BadImage):
        read_header(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.jpeg_with_scans(64), id="as many scans as the limit"),
        pytest.param(encoded.jpeg_with_comment(b"\xff\xda" * 400), id="scans in a comment"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG") + b"\xff\xda" * 400, id="scans behind the end"),
    ],
)
def test_bytes_that_only_look_like_scans_do_not_count(data: bytes) -> None:
    assert (read_header(data).width, read_header(data).height) == (24, 16)


def test_a_jpeg_of_hundreds_of_scans_is_refused() -> None:
    with pytest.raises(BadImage, match="scans; the limit is 64"):
        read_header(encoded.jpeg_with_scans(400))


def test_a_jpeg_in_arithmetic_coding_is_unsupported() -> None:
    data = encoded.encode(encoded.picture(), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(UnsupportedType, match=r"arithmetically coded .* jpegtran in\.jpg > out\.jpg"):
        read_header(data)


@pytest.mark.parametrize("orientation", range(1, 9), ids="orientation {}".format)
def test_sides_change_places_only_where_an_image_lies_on_its_side(orientation: int) -> None:
    header = Header("png", 30, 20, orientation=orientation)
    assert header.upright_size == ((30, 20) if orientation <= 4 else (20, 30))
    assert header.aspect == (1.5 if orientation <= 4 else 20 / 30)
