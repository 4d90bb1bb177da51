"""`models.imaging.convert`: what the service does not take becomes a PNG with the same pixels, or a sentence."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, TooLarge, UnsupportedType
from models.imaging.convert import foreign_type, servable
from models.imaging.decode import DEFAULT_MAX_PIXELS, decode
from models.imaging.unsupported import describe
from tests.models import encoded
from tests.models.imaging import foreign_files
from tests.models.imaging.foreign_files import (
    HALF,
    HEIGHT,
    WIDTH,
    as_colour,
    bmp,
    bmp_rows,
    gif,
    shown,
    under_half,
    with_alpha,
)

GREY, COLOUR = foreign_files.grey(), foreign_files.colour()
PALETTE = np.random.default_rng(0).integers(0, 256, (16, 3), dtype=np.uint8)
PLACES = GREY % 16  # in the palette
BOTTOM_UP_BGR = COLOUR[..., ::-1]


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_what_the_service_takes_is_left_as_it_is(format_: str) -> None:
    data = encoded.encode(encoded.picture(), format_)
    assert servable(data) == (data, "")


@pytest.mark.parametrize(
    "data",
    [b"", b"II", b"%PDF-1.7", b"<svg/>", b"\0\0\0\x18ftypisom" + bytes(12), b"BMW is a car", b"BM" + bytes(98)],
    ids=repr,
)
def test_what_is_no_such_image_is_left_for_the_decoder_to_refuse(data: bytes) -> None:
    assert servable(data) == (data, "")


ALPHA_MASKS = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
FIVE_BITS = (COLOUR >> 3).astype("<u2")
HIGH = COLOUR.astype("<u2") >> np.array([3, 2, 3], "<u2")
BMP_PALETTE = np.dstack([PALETTE[None, :, ::-1], np.zeros((1, 16), np.uint8)]).tobytes()
RUNS = b"".join(bytes([1, place]) for place in PLACES[::-1].ravel())
RLE = b"".join(RUNS[start : start + 2 * WIDTH] + b"\0\0" for start in range(0, len(RUNS), 2 * WIDTH)) + b"\0\1"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(bmp(24, bmp_rows(BOTTOM_UP_BGR)), COLOUR, id="24 bits"),
        pytest.param(bmp(24, bmp_rows(BOTTOM_UP_BGR[::-1]), is_flipped=True), COLOUR, id="from the top down"),
        pytest.param(bmp(32, bmp_rows(with_alpha(BOTTOM_UP_BGR, 0))), COLOUR, id="32 bits, of which 8 mean nothing"),
        pytest.param(
            bmp(32, bmp_rows(with_alpha(BOTTOM_UP_BGR, HALF)), compression=3, masks=ALPHA_MASKS), under_half(COLOUR),
            id="32 bits with alpha",
        ),
        pytest.param(
            bmp(16, bmp_rows(FIVE_BITS[..., 0] << 10 | FIVE_BITS[..., 1] << 5 | FIVE_BITS[..., 2])),
            np.round(FIVE_BITS * (255 / 31)), id="5 bits a colour",
        ),
        pytest.param(
            bmp(
                16, bmp_rows(HIGH[..., 0] << 11 | HIGH[..., 1] << 5 | HIGH[..., 2]), compression=3,
                masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F),
            ),
            np.round(HIGH * np.array([255 / 31, 255 / 63, 255 / 31])), id="6 bits of green",
        ),
        pytest.param(bmp(8, bmp_rows(PLACES), palette=BMP_PALETTE), PALETTE[PLACES], id="palette"),
        pytest.param(bmp(8, RLE, compression=1, palette=BMP_PALETTE), PALETTE[PLACES], id="run lengths"),
        pytest.param(
            bmp(1, bmp_rows(np.packbits(PLACES % 2, axis=1)), palette=BMP_PALETTE[:8]), PALETTE[PLACES % 2], id="1 bit"
        ),
    ],
)  # fmt: skip
def test_a_bmp_shows_what_was_written(data: bytes, expected: np.ndarray) -> None:
    assert servable(data)[1] == "bmp"
    assert np.abs(shown(data) - expected).max() <= 1


SEEN_THROUGH = np.where((PLACES == 3)[..., None], 255, PALETTE[PLACES])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(gif(PLACES, PALETTE), PALETTE[PLACES], id="interlaced"),
        pytest.param(gif(PLACES, PALETTE, interlace=0), PALETTE[PLACES], id="not interlaced"),
        pytest.param(gif(PLACES, PALETTE, transparency=3), SEEN_THROUGH, id="transparent"),
        pytest.param(
            gif(PLACES, PALETTE, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), "red")]),
            PALETTE[PLACES], id="the first of two frames",
        ),
    ],
)  # fmt: skip
def test_a_gif_shows_its_first_frame(data: bytes, expected: np.ndarray) -> None:
    assert servable(data)[1] == "gif"
    np.testing.assert_array_equal(shown(data), expected)


@pytest.mark.parametrize(
    ("options", "frame"), [({}, PALETTE[PLACES]), ({"transparency": 3}, SEEN_THROUGH)], ids=["opaque", "transparent"]
)
def test_what_the_frame_of_a_gif_does_not_cover_is_transparent(options: dict[str, int], frame: np.ndarray) -> None:
    expected = np.full((HEIGHT + 4, WIDTH + 6, 3), 255)
    expected[3 : 3 + HEIGHT, 2 : 2 + WIDTH] = frame
    data = foreign_files.gif_at(gif(PLACES, PALETTE, **options), 2, 3, (WIDTH + 6, HEIGHT + 4))
    np.testing.assert_array_equal(shown(data, height=HEIGHT + 4, width=WIDTH + 6), expected)


def avif(image: Image.Image, **options: object) -> bytes:
    return encoded.encode(image, "AVIF", quality=100, subsampling="4:4:4", **options)


def heic(image: Image.Image, exif: bytes | None = None) -> bytes:
    file, body = pillow_heif.from_pillow(image), io.BytesIO()
    if exif is not None:
        file[0].info["exif"] = exif
    file.save(body, quality=-1, chroma=444)
    return body.getvalue()


@pytest.mark.parametrize("encode", [avif, heic])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_avif_or_heic_is_near_to_what_was_written(encode, mode: str) -> None:
    pixels = {"RGB": COLOUR, "RGBA": with_alpha(COLOUR, HALF), "L": GREY}[mode]
    data = encode(Image.fromarray(pixels))
    assert servable(data)[1] == encode.__name__
    expected = {"RGB": COLOUR, "RGBA": under_half(COLOUR), "L": as_colour(GREY)}[mode]
    assert np.abs(shown(data) - expected).mean() <= 1


def test_a_heic_of_more_than_8_bits_is_brought_to_8() -> None:
    file = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), (COLOUR.astype(np.uint16) * 257).tobytes())
    body = io.BytesIO()
    file.save(body, quality=-1, chroma=444)
    assert np.abs(shown(body.getvalue()) - COLOUR).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9), ids="orientation {}".format)
@pytest.mark.parametrize("format_", ["TIFF", "LZW TIFF", "AVIF", "HEIC"])
def test_an_image_is_turned_upright_once(format_: str, orientation: int) -> None:
    exif, image = Image.Exif(), Image.fromarray(COLOUR)
    exif[encoded.ORIENTATION] = orientation
    data = {
        "TIFF": lambda: encoded.encode(image, "TIFF", exif=exif),
        "LZW TIFF": lambda: encoded.encode(image, "TIFF", exif=exif, compression="tiff_lzw"),
        "AVIF": lambda: avif(image, exif=exif.tobytes()),
        "HEIC": lambda: heic(image, exif.tobytes()),
    }[format_]()
    as_png = encoded.encode(image, "PNG", exif=exif)
    height, width = (WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH)
    found = shown(data, height=height, width=width)
    assert np.abs(found - decode(as_png, InputSpec(height=height, width=width, channels=3))).mean() <= 1


def whole(format_: str) -> bytes:
    image = Image.fromarray(COLOUR)
    return heic(image) if format_ == "HEIC" else encoded.encode(image, format_)


@pytest.mark.parametrize("format_", ["TIFF", "BMP", "GIF", "AVIF", "HEIC"])
def test_an_image_that_is_cut_short_is_refused(format_: str) -> None:
    data = whole(format_)
    for size in range(24, len(data) - 1, len(data) // 50 + 1):
        with pytest.raises((BadImage, UnsupportedType)):
            decode(servable(data[:size])[0], InputSpec(height=8, width=8, channels=3))


@pytest.mark.parametrize("format_", ["TIFF", "BMP", "GIF", "AVIF", "HEIC"])
def test_a_changed_byte_gives_a_picture_or_a_sentence(format_: str) -> None:
    data, random = whole(format_), np.random.default_rng(7)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[random.integers(4, len(data))] ^= int(random.integers(1, 256))
        try:
            servable(bytes(damaged))
        except (BadImage, TooLarge, UnsupportedType) as error:
            assert str(error)  # noqa: PT017 (most give a picture)


@pytest.mark.parametrize("format_", ["TIFF", "BMP", "GIF", "AVIF"])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = whole(format_)
    monkeypatch.setattr("models.imaging.convert.DEFAULT_MAX_PIXELS", WIDTH * HEIGHT - 1)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(TooLarge, match=r"27x20 = 540 pixels; the limit is 539, and higher for a JPEG"):
        servable(data)


def test_a_bomb_is_refused_by_its_header() -> None:
    data = bytearray(bmp(24, b""))
    data[18:26] = struct.pack("<ii", 60_000, 60_000)
    with pytest.raises(TooLarge, match=f"60000x60000 = 3600000000 pixels; the limit is {DEFAULT_MAX_PIXELS}"):
        servable(bytes(data))


def test_without_its_extra_a_heic_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole("HEIC")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedType, match=r"heic image; pip install '\.\[heic\]', or convert it to JPEG"):
        servable(data)


def test_without_its_decoder_an_avif_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    data = whole("AVIF")
    monkeypatch.setattr("PIL.features.check", lambda name: name != "avif")
    with pytest.raises(UnsupportedType, match="avif image, which this build of Pillow cannot decode"):
        servable(data)


@pytest.mark.parametrize(
    ("brands", "type_"),
    [
        pytest.param([b"avif", b"mif1"], "avif", id="AVIF"),
        pytest.param([b"mif1", b"avif"], "avif", id="HEIF that is AVIF"),
        pytest.param([b"mif1", b"avif", b"heic"], "avif", id="HEIF that is AVIF before it is HEIC"),
        pytest.param([b"heic", b"mif1"], "heic", id="HEIC"),
        pytest.param([b"heic", b"mif1", b"avif"], "heic", id="HEIC that is AVIF, too"),
        pytest.param([b"mif1", b"heic"], "heic", id="HEIF that is HEIC"),
        pytest.param([b"msf1", b"hevc"], "heic", id="sequence of HEIC"),
        pytest.param([b"mif1", b"miaf"], "heic", id="HEIF of no named codec"),
        pytest.param([b"isom", *[b"mp42"] * 80, b"heic"], "heic", id="HEIC by its 82nd brand"),
        pytest.param([b"isom", b"mp42"], "", id="film"),
        pytest.param([b"crx ", b"isom"], "", id="camera raw"),
    ],
)
@pytest.mark.parametrize("version", [bytes(4), b"avif", b"heic"], ids="version {}".format)
def test_the_type_of_boxes_is_the_same_for_training_and_serving(
    brands: list[bytes], type_: str, version: bytes
) -> None:
    box = b"ftyp" + brands[0] + version + b"".join(brands)
    data = struct.pack(">I", len(box) + 4) + box
    assert foreign_type(data) == type_
    named = describe(data).split(" image", 1)[0].lower()
    assert named == type_ if type_ else named not in ("avif", "heic")
