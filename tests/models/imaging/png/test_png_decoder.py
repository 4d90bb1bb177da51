"""`models.imaging.png.png_decoder`: what of a PNG counts, and what is left out."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, UnsupportedType
from models.imaging.decode import decode, read_header
from models.imaging.png.png_chunks import MAX_CHUNKS
from tests.models import encoded
from tests.models.encoded import png_chunk, png_header
from tests.models.imaging.png.pngs import END, GREY, GREY_ALPHA, PALETTE, RGB, levels, noise, write

ROWS = zlib.compress(bytes(9 * 8))
SAMPLES = noise(8, RGB, (6, 5))
CLEAR = levels(*SAMPLES[0, 0])
OTHER = levels(*SAMPLES[1, 1])
COLOURS = png_chunk(b"PLTE", bytes(range(30)))
OPACITY = png_chunk(b"tRNS", bytes([0, 100, 200]))
INDICES = noise(8, PALETTE, (6, 5)) % 10


def shown(data: bytes) -> np.ndarray:
    header = read_header(data)
    return decode(data, InputSpec(height=header.height, width=header.width, channels=3, background=200))


def kinds(data: bytes) -> list[bytes]:
    """Types of the chunks of a PNG."""
    found, position = [], 8
    while position < len(data):
        found.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return found


def damaged(chunk: bytes) -> bytes:
    """The chunk with a wrong checksum."""
    return chunk[:-4] + bytes(4)


def turned(orientation: int) -> bytes:
    """A chunk of EXIF that says how to turn the picture."""
    exif = Image.Exif()
    exif[encoded.ORIENTATION] = orientation
    return png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))


def animation(frames: int) -> bytes:
    return png_chunk(b"acTL", struct.pack(">II", frames, 0))


def frame(number: int, size: int) -> bytes:
    """The chunk that starts a frame of an animation."""
    return png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, size, size, 0, 0, 1, 10, 0, 0))


def test_text_profiles_and_unknown_chunks_change_nothing() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "b" * 99, zip=True)
    image = encoded.picture().quantize(8)
    data = encoded.encode(image, "PNG", pnginfo=text, icc_profile=b"x" * 99, dpi=(72, 72))
    assert {b"zTXt", b"iCCP", b"pHYs"} <= set(kinds(data))
    np.testing.assert_array_equal(shown(data), shown(encoded.encode(image, "PNG")))


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(damaged(CLEAR), id="transparency with a wrong checksum"),
        pytest.param(png_chunk(b"tRNS", bytes(4)), id="transparency of two levels for three samples"),
        pytest.param(png_chunk(b"tRNS", bytes(8)), id="transparency of four levels for three samples"),
        pytest.param(png_chunk(b"tRNS", b""), id="transparency without data"),
        pytest.param(png_chunk(b"PLTE", bytes(7)), id="a suggested palette of another length"),
        pytest.param(damaged(COLOURS), id="a suggested palette with a wrong checksum"),
        pytest.param(COLOURS * 2, id="two suggested palettes"),
        pytest.param(damaged(turned(6)), id="EXIF with a wrong checksum"),
        pytest.param(png_chunk(b"tEXt", turned(6)), id="EXIF in a comment"),
        pytest.param(damaged(animation(3)), id="an animation with a wrong checksum"),
        pytest.param(png_chunk(b"gAMA", struct.pack(">I", 220000)), id="gamma"),
        pytest.param(png_chunk(b"sBIT", bytes([3, 3, 3])), id="significant bits"),
        pytest.param(png_chunk(b"bKGD", bytes([0, 9, 0, 9, 0, 9])), id="a background of its own"),
        pytest.param(damaged(png_chunk(b"iCCP", b"x")), id="a damaged profile"),
        pytest.param(png_chunk(b"aaAa", b""), id="a chunk of no bytes"),
    ],
)
def test_a_chunk_that_libpng_passes_over_changes_nothing(chunk: bytes) -> None:
    np.testing.assert_array_equal(shown(write(SAMPLES, 8, RGB, chunk)), SAMPLES)


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(CLEAR, id="transparency"),
        pytest.param(animation(3), id="an animation"),
        pytest.param(COLOURS, id="a palette"),
    ],
)
def test_a_chunk_that_must_come_before_the_rows_does_not_count_after_them(chunk: bytes) -> None:
    np.testing.assert_array_equal(shown(write(SAMPLES, 8, RGB, after=chunk)), SAMPLES)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([CLEAR, OTHER], id="of two"),
        pytest.param([damaged(OTHER), CLEAR], id="behind one with a wrong checksum"),
        pytest.param([png_chunk(b"tRNS", b"\0"), CLEAR, OTHER], id="behind one of another length"),
        pytest.param([CLEAR, COLOURS], id="before a suggested palette"),
    ],
)
def test_the_first_good_transparency_counts(chunks: list[bytes]) -> None:
    clear = SAMPLES[0, 0]
    expected = np.where((clear == SAMPLES).all(axis=2, keepdims=True), 200, SAMPLES)
    np.testing.assert_array_equal(shown(write(SAMPLES, 8, RGB, *chunks)), expected)


def test_transparency_of_one_level_does_not_count_where_each_pixel_has_its_own() -> None:
    samples = noise(8, GREY_ALPHA, (6, 5))
    plain = shown(write(samples, 8, GREY_ALPHA))
    np.testing.assert_array_equal(shown(write(samples, 8, GREY_ALPHA, levels(samples[0, 0, 0]))), plain)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([OPACITY, COLOURS], id="before the palette"),
        pytest.param([COLOURS, png_chunk(b"tRNS", bytes(11))], id="longer than the palette"),
        pytest.param([COLOURS, png_chunk(b"tRNS", b"")], id="of no colour"),
    ],
)
def test_a_palettes_opacity_does_not_count(chunks: list[bytes]) -> None:
    plain = np.arange(30).reshape(10, 3)[INDICES[:, :, 0]]
    np.testing.assert_array_equal(shown(write(INDICES, 8, PALETTE, *chunks)), plain)


def test_colours_beyond_what_the_depth_can_name_do_not_count() -> None:
    samples = noise(1, PALETTE, (6, 5))
    data = write(samples, 1, PALETTE, COLOURS, OPACITY)  # an opacity for three colours, of which there can be two
    np.testing.assert_array_equal(shown(data), np.arange(6).reshape(2, 3)[samples[:, :, 0]])


@pytest.mark.parametrize(
    ("chunks", "after", "said"),
    [
        pytest.param([], b"", "its palette is missing", id="missing"),
        pytest.param([], COLOURS, "its palette is missing", id="behind the rows"),
        pytest.param([COLOURS, COLOURS], b"", "two chunks PLTE", id="given twice"),
        pytest.param([damaged(COLOURS)], b"", "its palette has a wrong checksum", id="of a wrong checksum"),
        pytest.param([png_chunk(b"PLTE", bytes(10))], b"", "its palette has 10 bytes", id="of ten bytes"),
        pytest.param([png_chunk(b"PLTE", b"")], b"", "its palette has 0 bytes", id="of no colour"),
        pytest.param([png_chunk(b"PLTE", bytes(771))], b"", "its palette has 771 bytes", id="of 257 colours"),
    ],
)
def test_a_palette_that_cannot_be_used_is_a_bad_image(chunks: list[bytes], after: bytes, said: str) -> None:
    with pytest.raises(BadImage, match=said):
        shown(write(INDICES, 8, PALETTE, *chunks, after=after))


def test_a_header_may_not_come_twice() -> None:
    with pytest.raises(BadImage, match="two chunks IHDR"):
        read_header(encoded.png_with_two_headers())


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        pytest.param(24, 3, "colour type 2 has no 3 bits a sample", id="depth"),
        pytest.param(25, 5, "colour type 5 has no 8 bits a sample", id="colour type"),
        pytest.param(26, 1, r"its methods are \(1, 0, 0\)", id="compression"),
        pytest.param(27, 1, r"its methods are \(0, 1, 0\)", id="filter"),
        pytest.param(28, 2, r"its methods are \(0, 0, 2\)", id="interlace"),
    ],
)
def test_a_header_that_png_does_not_know_is_a_bad_image(offset: int, value: int, said: str) -> None:
    data = bytearray(write(SAMPLES, 8, RGB))
    data[offset] = value
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(BadImage, match=said):
        shown(bytes(data))


def test_a_palette_of_a_chunks_name_is_a_palette() -> None:
    colours = png_chunk(b"PLTE", b"IDATIENDtRNS" + bytes(30))
    samples = np.zeros((3, 3, 1), np.int64)
    assert (shown(write(samples, 8, PALETTE, colours)) == list(b"IDA")).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda exif: write(SAMPLES, 8, RGB, exif), id="before the rows"),
        pytest.param(lambda exif: write(SAMPLES, 8, RGB, after=exif), id="after the rows"),
        pytest.param(lambda exif: write(SAMPLES, 8, RGB, png_chunk(b"tEXt", turned(2)), exif), id="behind a comment"),
        pytest.param(lambda exif: write(SAMPLES, 8, RGB, exif, turned(2)), id="before a second one"),
        pytest.param(lambda exif: write(SAMPLES, 8, RGB, exif) + write(SAMPLES, 8, RGB, turned(2)), id="of two images"),
    ],
)
def test_orientation_is_that_of_the_images_own_exif(place: object, orientation: int) -> None:
    assert callable(place)
    assert read_header(place(turned(orientation))).orientation == orientation


def test_exif_behind_the_end_or_in_a_comment_turns_nothing() -> None:
    assert read_header(write(SAMPLES, 8, RGB) + turned(6)).orientation == 1
    assert read_header(write(SAMPLES, 8, RGB, png_chunk(b"iTXt", turned(6)))).orientation == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(write(SAMPLES, 8, RGB, animation(1), frame(0, 8)), id="whose frame is the image"),
        pytest.param(write(SAMPLES, 8, RGB, animation(1)), id="without its frame"),
        pytest.param(
            write(SAMPLES, 8, RGB, animation(1), after=frame(0, 8) + png_chunk(b"fdAT", bytes(4) + ROWS)),
            id="whose frame is not the image",
        ),
        pytest.param(write(SAMPLES, 8, RGB, animation(0)), id="of no frame"),
        pytest.param(write(SAMPLES, 8, RGB, png_chunk(b"acTL", b"\0\0\0\5")), id="that is cut short"),
    ],
)
def test_an_animation_of_one_frame_is_its_image(data: bytes) -> None:
    np.testing.assert_array_equal(shown(data), SAMPLES)


def test_an_animation_of_more_frames_is_refused_by_their_number() -> None:
    with pytest.raises(UnsupportedType, match=r"animated png of 12 frames; send a single frame"):
        read_header(write(SAMPLES, 8, RGB, animation(12), frame(0, 8)))


def test_a_png_for_ios_alone_is_refused_by_name() -> None:
    plain = write(SAMPLES, 8, RGB)
    with pytest.raises(UnsupportedType, match="PNG made for iOS alone"):
        read_header(plain[:8] + png_chunk(b"CgBI", bytes(4)) + plain[8:])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(write(SAMPLES, 8, RGB) + b"more", id="bytes behind the end"),
        pytest.param(damaged(write(SAMPLES, 8, RGB)), id="a wrong checksum of the end"),
        pytest.param(write(SAMPLES, 8, RGB, pieces=200), id="rows in 200 chunks, most of them empty"),
        pytest.param(write(SAMPLES, 8, RGB, png_chunk(b"IDAT", b"") * 5000), id="5,000 chunks of no rows"),
        pytest.param(write(SAMPLES, 8, RGB, png_chunk(b"teSt", b"") * 5000), id="5,000 chunks of nothing"),
    ],
)
def test_a_png_that_libpng_shows_whole_is_taken(data: bytes) -> None:
    np.testing.assert_array_equal(shown(data), SAMPLES)


def test_chunks_without_end_are_refused_from_the_header() -> None:
    with pytest.raises(BadImage, match=f"more than {MAX_CHUNKS} chunks"):
        read_header(write(SAMPLES, 8, RGB, png_chunk(b"teSt", b"") * MAX_CHUNKS))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_header(8, 8), id="after its header"),
        pytest.param(png_header(8, 8) + png_chunk(b"IDAT", ROWS), id="before its end"),
        pytest.param(png_header(8, 8) + png_chunk(b"IDAT", ROWS) + END[:-1], id="in its end"),
        pytest.param(png_header(8, 8) + b"\xff\xff\xff\xffIDAT" + ROWS + END, id="by a chunk longer than itself"),
    ],
)
def test_a_png_cut_short_is_a_bad_image(data: bytes) -> None:
    assert read_header(data).width == 8
    with pytest.raises(BadImage, match="cut short"):
        shown(data)


def test_grey_of_one_bit_may_have_black_or_white_transparent() -> None:
    samples = noise(1, GREY)
    for clear in (0, 1):
        found = shown(write(samples, 1, GREY, levels(clear)))
        np.testing.assert_array_equal(found[:, :, :1], np.where(samples == clear, 200, samples * 255))
