"""`models.imaging.tiff`: every kind of page that is read shows what was written, and the others are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from models.errors import UnsupportedType
from models.imaging.convert import servable
from tests.models import encoded
from tests.models.imaging import foreign_files
from tests.models.imaging.foreign_files import HALF, HEIGHT, WIDTH, as_colour, shown, tiff, under_half, with_alpha

GREY, COLOUR = foreign_files.grey(), foreign_files.colour()
PLACES = GREY % 16
PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
BYTE_ORDERS = [pytest.param("<", id="little-endian"), pytest.param(">", id="big-endian")]
LAYOUTS = [
    pytest.param({}, id="one strip"),
    pytest.param({"rowsperstrip": 7}, id="strips"),
    pytest.param({"tile": (16, 16)}, id="tiles"),
    pytest.param({"compression": "deflate"}, id="deflate"),
    pytest.param({"compression": "deflate", "tile": (16, 16)}, id="deflate in tiles"),
]
PREMULTIPLIED = np.round(COLOUR * (HALF / 255)).astype(np.uint8)


@pytest.mark.parametrize("byteorder", BYTE_ORDERS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("pixels", "kind", "expected"),
    [
        pytest.param(GREY, {"photometric": "minisblack"}, GREY, id="grey"),
        pytest.param(GREY, {"photometric": "miniswhite"}, 255 - GREY, id="grey, white being 0"),
        pytest.param(GREY.astype(np.uint16) * 257, {"photometric": "minisblack"}, GREY, id="grey of 16 bits"),
        pytest.param(COLOUR, {"photometric": "rgb"}, COLOUR, id="RGB"),
        pytest.param(COLOUR.astype(np.uint16) * 257, {"photometric": "rgb"}, COLOUR, id="RGB of 16 bits"),
        pytest.param(
            with_alpha(COLOUR, HALF), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, under_half(COLOUR),
            id="RGB with alpha",
        ),
        pytest.param(
            with_alpha(PREMULTIPLIED, HALF), {"photometric": "rgb", "extrasamples": ["assocalpha"]},
            under_half(COLOUR), id="RGB multiplied by its alpha",
        ),
        pytest.param(
            with_alpha(COLOUR, HALF).astype(np.uint16) * 257, {"photometric": "rgb", "extrasamples": ["unassalpha"]},
            under_half(COLOUR), id="RGB with alpha of 16 bits",
        ),
        pytest.param(
            with_alpha(COLOUR, HALF), {"photometric": "rgb", "extrasamples": ["unspecified"]}, COLOUR,
            id="RGB and something else",
        ),
        pytest.param(
            with_alpha(GREY, HALF), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, under_half(GREY),
            id="grey with alpha",
        ),
        pytest.param(
            np.moveaxis(COLOUR, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}, COLOUR, id="RGB in planes"
        ),
        pytest.param(
            with_alpha(255 - COLOUR, 0), {"photometric": "separated"}, COLOUR, id="CMYK"
        ),
        pytest.param(
            PLACES, {"photometric": "palette", "colormap": PALETTE.T.astype(np.uint16) * 257},
            PALETTE[PLACES], id="palette",
        ),
        pytest.param(np.stack([COLOUR, 255 - COLOUR]), {"photometric": "rgb"}, COLOUR, id="the first of two pages"),
        pytest.param(
            np.stack([GREY, 255 - GREY]), {"photometric": "minisblack"}, GREY, id="the first of two grey pages"
        ),
    ],
)  # fmt: skip
def test_a_tiff_shows_what_was_written(
    pixels: np.ndarray, kind: dict[str, object], expected: np.ndarray, layout: dict[str, object], byteorder: str
) -> None:
    data = tiff(pixels, byteorder=byteorder, **kind, **layout)
    assert servable(data)[1] == "tiff"
    assert np.abs(shown(data) - as_colour(expected)).max() <= 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "zstd", "lzma", "tiff_adobe_deflate"])
def test_a_compressed_tiff_shows_what_was_written(compression: str) -> None:
    np.testing.assert_array_equal(
        shown(encoded.encode(Image.fromarray(COLOUR), "TIFF", compression=compression)), COLOUR
    )


def test_a_tiff_compressed_as_jpeg_is_near_to_what_was_written() -> None:
    data = encoded.encode(Image.fromarray(COLOUR), "TIFF", compression="jpeg", quality=100)
    assert np.abs(shown(data) - COLOUR).mean() <= 4


@pytest.mark.parametrize("compression", ["raw", "group3", "group4", "tiff_ccitt"])
def test_a_tiff_of_one_bit_is_black_and_white(compression: str) -> None:
    image = Image.fromarray(GREY > 99)
    found = shown(encoded.encode(image, "TIFF", compression=compression), channels=1)
    np.testing.assert_array_equal(found[..., 0], (GREY > 99) * 255)


def test_twelve_bits_are_brought_to_all_levels() -> None:
    levels = GREY.astype(np.uint16) * 16 + GREY // 16  # 4095 / 255 times
    np.testing.assert_array_equal(shown(foreign_files.tiff_of_12_bits(levels), channels=1)[..., 0], GREY)


def test_sixteen_bits_of_which_white_is_zero_are_inverted() -> None:
    data = tiff(GREY.astype(np.uint16) * 257, photometric="miniswhite")
    np.testing.assert_array_equal(shown(data, channels=1)[..., 0], 255 - GREY)


def test_sixteen_bits_are_kept() -> None:
    levels = GREY.astype(np.uint16) * 200 + 13
    with Image.open(io.BytesIO(servable(tiff(levels, photometric="minisblack"))[0])) as image:
        np.testing.assert_array_equal(np.asarray(image), levels)


def test_a_large_tiff_of_64_bit_offsets_is_read() -> None:
    np.testing.assert_array_equal(shown(tiff(COLOUR, photometric="rgb", bigtiff=True)), COLOUR)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(tiff(GREY.astype(np.float32)), "32 bits .* are not levels of 1 to 16 bits", id="floats"),
        pytest.param(tiff(COLOUR.astype(np.float16), photometric="rgb"), "16.16.16 .* not levels", id="half floats"),
        pytest.param(tiff(GREY.astype(np.float64)), "not levels of 1 to 16 bits", id="doubles"),
        pytest.param(tiff(GREY.astype(np.int32)), "not levels of 1 to 16 bits", id="32-bit integers"),
        pytest.param(tiff(GREY.astype(np.uint32)), "not levels of 1 to 16 bits", id="unsigned 32-bit integers"),
        pytest.param(tiff(GREY.astype(np.int16)), "not levels of 1 to 16 bits", id="signed 16 bits"),
        pytest.param(tiff(GREY.astype(np.int8)), "not levels of 1 to 16 bits", id="signed 8 bits"),
        pytest.param(encoded.encode(Image.new("LAB", (8, 8)), "TIFF"), "not levels of 1 to 16 bits", id="CIELab"),
        pytest.param(
            tiff(np.dstack([COLOUR, COLOUR, GREY]), photometric="minisblack", planarconfig="contig"),
            "more than 6 samples", id="seven bands",
        ),
        pytest.param(
            tiff(np.dstack([COLOUR, GREY, GREY]), photometric="minisblack", planarconfig="contig"),
            "unknown pixel mode", id="five bands",
        ),
        pytest.param(
            tiff(np.moveaxis(COLOUR, 2, 0).astype(np.uint16), photometric="rgb", planarconfig="separate"),
            "planes of their own", id="planes of 16 bits, which Pillow reads wrong",
        ),
        pytest.param(
            foreign_files.tiff_by_tags({258: (3, 8), 259: (3, 1), 262: (3, 6), 277: (3, 3)}, bytes(WIDTH * HEIGHT * 3)),
            "subsampled", id="subsampled colours, which Pillow reads wrong",
        ),
        pytest.param(tiff(COLOUR, photometric="rgb", subfiletype=1), "preview of another", id="a raw file's preview"),
        pytest.param(tiff(COLOUR, bigtiff=True, byteorder=">"), "big-endian BigTIFF", id="big-endian 64-bit offsets"),
    ],
)  # fmt: skip
def test_a_tiff_that_is_not_read_right_is_refused_with_a_way_out(data: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedType, match=f"^tiff image .*{reason}.*; save it as PNG"):
        servable(data)
