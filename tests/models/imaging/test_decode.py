"""`models.imaging.decode`: the one decoder, against Pillow and against what clients may send."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, ClientError, TooLarge, UnsupportedType
from models.imaging.decode import DEFAULT_MAX_PIXELS, decode, read_checked_header
from models.imaging.jpeg.jpeg_decoder import least_size
from models.imaging.types import Header
from tests.models import encoded

GREY = InputSpec(height=16, width=24, channels=1)
COLOUR = InputSpec(height=16, width=24, channels=3)
SPECS = [pytest.param(GREY, id="grey"), pytest.param(COLOUR, id="colour")]


def pillow_mode(spec: InputSpec) -> str:
    return "L" if spec.channels == 1 else "RGB"


def as_pillow(data: bytes, spec: InputSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return encoded.pillow_pixels(data, pillow_mode(spec)).reshape(spec.height, spec.width, spec.channels)


def largest_difference(found: np.ndarray, expected: np.ndarray) -> int:
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(encoded.picture(), "PNG"), id="RGB PNG"),
        pytest.param(encoded.encode(encoded.picture(mode="L"), "PNG"), id="grey PNG"),
        pytest.param(encoded.encode(encoded.picture(mode="1"), "PNG"), id="1-bit PNG"),
        pytest.param(encoded.encode(encoded.picture().quantize(32), "PNG"), id="palette PNG"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP"), id="lossy WebP"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP", lossless=True), id="lossless WebP"),
        pytest.param(encoded.encode(encoded.picture(mode="CMYK"), "JPEG"), id="CMYK JPEG"),
    ],
)
def test_decodes_as_pillow_does(data: bytes, spec: InputSpec) -> None:
    pixels = decode(data, spec)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, as_pillow(data, spec))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(encoded.picture(), "JPEG", quality=90), id="subsampled"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", quality=90, subsampling=0), id="not subsampled"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", quality=90, progressive=True), id="progressive"),
        pytest.param(encoded.encode(encoded.picture(mode="L"), "JPEG", quality=90), id="grey"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", quality=90, keep_rgb=True), id="RGB inside"),
        pytest.param(
            encoded.encode(encoded.picture(), "JPEG", quality=90, restart_marker_rows=1), id="restart markers"
        ),
    ],
)
def test_jpeg_is_close_to_pillow(data: bytes, spec: InputSpec) -> None:
    assert largest_difference(decode(data, spec), as_pillow(data, spec)) <= 4


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format_", "options"),
    [
        pytest.param("JPEG", {"quality": 95, "subsampling": 0}, id="JPEG"),
        pytest.param("PNG", {}, id="PNG"),
        pytest.param("WEBP", {"lossless": True}, id="WebP"),
    ],
)
def test_exif_orientation_is_applied_as_pillow_does(
    format_: str, options: dict[str, object], orientation: int, spec: InputSpec
) -> None:
    data = encoded.oriented(format_, orientation, **options)
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert(pillow_mode(spec))
    turned = spec.model_copy(update={"height": upright.height, "width": upright.width})
    expected = np.asarray(upright).reshape(turned.height, turned.width, turned.channels)
    assert largest_difference(decode(data, turned), expected) <= (4 if format_ == "JPEG" else 0)


def test_exif_behind_a_long_colour_profile_is_found() -> None:
    exif = Image.Exif()
    exif[encoded.ORIENTATION] = 3
    jpeg = encoded.encode(encoded.picture(), "JPEG", icc_profile=bytes(200_000), exif=exif)
    profile_first = jpeg.index(b"ICC_PROFILE") < jpeg.index(b"Exif\0\0")
    if not profile_first:  # Pillow writes EXIF first; put its segment behind the profile
        start = jpeg.index(b"\xff\xe1")
        end = start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
        table = jpeg.index(b"\xff\xdb")
        jpeg = jpeg[:start] + jpeg[end:table] + jpeg[start:end] + jpeg[table:]
    upright = decode(encoded.encode(encoded.picture(), "JPEG"), GREY)
    np.testing.assert_array_equal(decode(jpeg, GREY), upright[::-1, ::-1])


def test_exif_without_orientation_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    data = encoded.encode(encoded.picture(), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(data, GREY), as_pillow(data, GREY))


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    levels = np.linspace(0, 65535, 24 * 16).reshape(16, 24)
    data = encoded.encode(Image.fromarray(levels.astype(np.uint16)), "PNG")
    expected = np.rint(levels.astype(np.uint16) / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode(data, GREY)[:, :, 0], expected)
    np.testing.assert_array_equal(decode(data, COLOUR), np.repeat(expected[:, :, None], 3, axis=2))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("background", [0, 100, 255])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(Image.new("RGBA", (24, 16), (9, 9, 9, 0)), "PNG"), id="RGBA PNG"),
        pytest.param(encoded.encode(Image.new("LA", (24, 16), (9, 0)), "PNG"), id="grey and alpha PNG"),
        pytest.param(
            encoded.encode(Image.new("L", (24, 16), 9), "PNG", transparency=9), id="grey PNG, one level clear"
        ),
        pytest.param(
            encoded.encode(Image.new("RGB", (24, 16), (9, 8, 7)), "PNG", transparency=(9, 8, 7)),
            id="RGB PNG, one colour clear",
        ),
        pytest.param(
            encoded.encode(Image.new("P", (24, 16), 0), "PNG", transparency=0), id="palette PNG with transparency"
        ),
        pytest.param(
            encoded.encode(Image.new("RGBA", (24, 16), (9, 9, 9, 0)), "WEBP", lossless=True, exact=True), id="WebP"
        ),
    ],
)
def test_transparent_pixels_show_the_background(data: bytes, background: int, spec: InputSpec) -> None:
    pixels = decode(data, spec.model_copy(update={"background": background}))
    assert set(np.unique(pixels)) == {background}


def test_half_transparent_pixels_are_blended() -> None:
    data = encoded.encode(Image.new("RGBA", (24, 16), (0, 0, 0, 128)), "PNG")
    assert set(np.unique(decode(data, GREY))) == {127}


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
def test_an_image_of_one_pixel_fills_the_input(format_: str, spec: InputSpec) -> None:
    pixels = decode(encoded.encode(Image.new("RGB", (1, 1), (120, 120, 120)), format_), spec)
    assert pixels.shape == (16, 24, spec.channels)
    assert largest_difference(pixels, np.full(pixels.shape, 120)) <= 2


@pytest.mark.parametrize("spec", SPECS)
def test_another_size_is_resized_with_the_bundles_filter(spec: InputSpec) -> None:
    image = encoded.picture(100, 37).convert(pillow_mode(spec))
    expected = np.asarray(image.resize((24, 16), Image.Resampling.BILINEAR)).reshape(16, 24, spec.channels)
    np.testing.assert_array_equal(decode(encoded.encode(image, "PNG"), spec), expected)


@pytest.mark.parametrize("data", [pytest.param(b"", id="empty"), pytest.param(b"\x89PNG", id="half a signature")])
def test_bytes_without_an_image_are_refused_by_decode_too(data: bytes) -> None:
    with pytest.raises(BadImage):
        decode(data, GREY)


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    with pytest.raises(TooLarge, match=rf"30000x30000 = 900000000 pixels; the limit is {DEFAULT_MAX_PIXELS}"):
        decode(encoded.png_header(30000, 30000), GREY)


def test_the_limit_of_pixels_is_itself_allowed() -> None:
    data = encoded.encode(encoded.picture(10, 10), "PNG")
    assert read_checked_header(data, max_pixels=100).pixels == 100
    with pytest.raises(TooLarge):
        read_checked_header(data, max_pixels=99)


def test_a_png_with_a_second_larger_header_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BadImage, match="two chunks IHDR"):
        decode(encoded.png_with_two_headers(), GREY)


@pytest.mark.parametrize("spec", SPECS)
def test_a_palette_png_without_its_palette_is_a_bad_image(spec: InputSpec) -> None:
    data = encoded.encode(encoded.picture().quantize(8), "PNG")
    start = data.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    with pytest.raises(BadImage, match="palette is missing"):
        decode(data[:start] + data[end:], spec)


def test_a_header_that_was_read_already_is_not_read_again() -> None:
    data = encoded.encode(encoded.picture(), "PNG")
    with pytest.raises(BadImage, match="two sizes"):
        decode(data, GREY, Header("png", 23, 16))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.animated("PNG"), id="APNG"),
        pytest.param(encoded.animated("WEBP"), id="WebP"),
        pytest.param(encoded.animated("GIF"), id="GIF"),
    ],
)
def test_animations_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedType):
        decode(data, GREY)


def test_a_webp_that_hides_its_animation_is_refused() -> None:
    data = bytearray(encoded.animated("WEBP"))
    data[20] &= ~0x02  # the animation flag of the VP8X chunk
    with pytest.raises((BadImage, UnsupportedType)):
        decode(bytes(data), GREY)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(encoded.picture(), "JPEG"), id="JPEG"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(encoded.encode(encoded.picture(mode="CMYK"), "JPEG"), id="CMYK JPEG"),
        pytest.param(encoded.oriented("JPEG", 6), id="JPEG with EXIF"),
        pytest.param(encoded.encode(encoded.picture(), "PNG"), id="PNG"),
        pytest.param(encoded.encode(encoded.picture().quantize(8), "PNG"), id="palette PNG"),
        pytest.param(encoded.oriented("PNG", 6), id="PNG with EXIF"),
        pytest.param(encoded.encode(encoded.picture(), "WEBP"), id="WebP"),
        pytest.param(encoded.oriented("WEBP", 6, lossless=True), id="WebP with EXIF"),
    ],
)
def test_an_image_cut_short_anywhere_is_a_bad_image(data: bytes, spec: InputSpec) -> None:
    cuts = {*range(40), *range(40, len(data), 7), *range(len(data) - 14, len(data))}
    if data.startswith(b"RIFF"):
        cuts -= set(range(1, 12))  # shorter than its signature it is no WebP yet
    if data.startswith(b"\xff\xd8"):
        cuts -= {len(data) - 2, len(data) - 1}  # of a JPEG without its end marker every row is there
    for cut in sorted(cuts):
        with pytest.raises(BadImage):
            decode(data[:cut], spec)


@pytest.mark.parametrize("seed", range(4), ids="seed {}".format)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.oriented("JPEG", 6), id="JPEG"),
        pytest.param(encoded.encode(encoded.picture(mode="CMYK"), "JPEG"), id="CMYK JPEG"),
        pytest.param(encoded.oriented("PNG", 6), id="PNG"),
        pytest.param(encoded.encode(encoded.picture().quantize(8), "PNG", transparency=1), id="palette PNG"),
        pytest.param(encoded.oriented("WEBP", 6), id="WebP"),
    ],
)
def test_damage_anywhere_gives_pixels_or_a_client_error(data: bytes, seed: int) -> None:
    dice = random.Random(seed)
    details = []
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(dice.choice([1, 1, 2, 8])):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            assert decode(bytes(damaged), GREY).shape == (16, 24, 1)
        except ClientError as error:
            details.append(error.detail)
    assert not [detail for detail in details if " at 0x" in detail]  # Pillow's messages may name objects


class OddError(Exception):
    """What nobody expects of a decoder."""


@pytest.mark.parametrize(
    "error", [KeyError(6), MemoryError(), RuntimeError("odd"), OddError("odd"), IndexError()], ids=repr
)
@pytest.mark.parametrize(
    ("format_", "decoder"),
    [("JPEG", "jpeg.jpeg_decoder"), ("PNG", "png.png_decoder"), ("WEBP", "webp")],
    ids=["JPEG", "PNG", "WebP"],
)
@pytest.mark.parametrize("function", ["read_header", "decode"])
def test_whatever_a_decoder_raises_is_about_its_image(
    format_: str, decoder: str, function: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"models.imaging.{decoder}.{function}", fail)
    with pytest.raises(BadImage, match=rf"damaged .* of \d+ bytes: {type(error).__name__}"):
        decode(encoded.encode(encoded.picture(), format_), GREY)


def test_what_a_caller_raises_when_it_is_warned_is_its_own() -> None:
    def warn(kind: str) -> None:
        raise LookupError(kind)

    with pytest.raises(LookupError, match="no_end"):
        decode(encoded.encode(encoded.picture(), "JPEG")[:-2], GREY, warn=warn)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(encoded.picture(700, 400, "CMYK"), "JPEG"), id="CMYK JPEG"),
        pytest.param(
            encoded.encode(encoded.picture(700, 400, "CMYK"), "JPEG", progressive=True), id="progressive CMYK JPEG"
        ),
        pytest.param(encoded.encode(encoded.picture(700, 400).quantize(32), "PNG"), id="palette PNG"),
        pytest.param(encoded.encode(encoded.picture(700, 400), "PNG"), id="RGB PNG"),
        pytest.param(encoded.encode(encoded.picture(700, 400), "WEBP"), id="WebP"),
    ],
)
def test_a_large_image_is_converted_in_strips_as_it_is_at_once(
    data: bytes, spec: InputSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = spec.model_copy(update={"height": 400, "width": 700})
    monkeypatch.setattr("models.imaging.channels._STRIP_PIXELS", 700 * 63)  # 400 rows are no multiple of 64
    np.testing.assert_array_equal(decode(data, full), as_pillow(data, full))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded.encode(encoded.picture(700, 400, "RGBA").rotate(30), "PNG"), id="RGBA PNG"),
        pytest.param(encoded.encode(encoded.picture(700, 400).convert("LA").rotate(30), "PNG"), id="LA PNG"),
        pytest.param(
            encoded.encode(encoded.picture(700, 400).quantize(8), "PNG", transparency=bytes(range(0, 240, 30))),
            id="palette PNG with transparency",
        ),
        pytest.param(encoded.encode(encoded.picture(700, 400, "L"), "PNG", transparency=99), id="one level clear"),
        pytest.param(encoded.encode(encoded.picture(700, 400, "I;16"), "PNG"), id="16-bit PNG"),
    ],
)
def test_strips_change_no_pixel(data: bytes, spec: InputSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    full = spec.model_copy(update={"height": 400, "width": 700})
    at_once = decode(data, full)
    monkeypatch.setattr("models.imaging.channels._STRIP_PIXELS", 700 * 63)
    np.testing.assert_array_equal(decode(data, full), at_once)


def test_a_cmyk_jpeg_is_turned_upright_too() -> None:
    exif = Image.Exif()
    exif[encoded.ORIENTATION] = 3
    plain = encoded.encode(encoded.picture(mode="CMYK"), "JPEG")
    turned = encoded.encode(encoded.picture(mode="CMYK"), "JPEG", exif=exif)
    np.testing.assert_array_equal(decode(turned, COLOUR), decode(plain, COLOUR)[::-1, ::-1])


FRACTION = InputSpec(height=32, width=32, channels=3, decoder="fraction")


@pytest.mark.parametrize(
    ("size", "turned", "least"),
    [
        pytest.param((32, 32), 1, (0, 0), id="an image of the input's size at its own"),
        pytest.param((20, 400), 1, (0, 0), id="an image with a side shorter than the input's at its own"),
        pytest.param((54, 100), 1, (0, 0), id="no side more than an eighth too short"),
        pytest.param((56, 100), 1, (50, 28), id="an eighth too short is allowed"),
        pytest.param((111, 300), 1, (75, 28), id="libjpeg rounds up"),
        pytest.param((112, 112), 1, (28, 28), id="a quarter"),
        pytest.param((224, 900), 1, (113, 28), id="an eighth"),
        pytest.param((4000, 3000), 1, (375, 500), id="an eighth is the least there is"),
    ],
)
def test_a_jpeg_is_decoded_at_the_least_fraction_that_is_large_enough(
    size: tuple[int, int], turned: int, least: tuple[int, int]
) -> None:
    width, height = size
    assert least_size(Header("jpeg", width, height, orientation=turned), FRACTION) == least
    data = encoded.encode(encoded.picture(width, height), "JPEG")
    decoded = simplejpeg.decode_jpeg(data, min_height=least[0], min_width=least[1])
    assert decoded.shape[:2] == (least if least != (0, 0) else (height, width))


@pytest.mark.parametrize("turned", range(1, 9), ids="orientation {}".format)
def test_the_sides_of_a_turned_jpeg_are_compared_as_they_are_shown(turned: int) -> None:
    tall = FRACTION.model_copy(update={"height": 64})
    sideways = turned >= 5
    assert least_size(Header("jpeg", 64, 128, orientation=turned), tall) == ((0, 0) if sideways else (64, 32))
    assert least_size(Header("jpeg", 128, 64, orientation=turned), tall) == ((32, 64) if sideways else (0, 0))


def test_a_bundle_that_decodes_at_full_size_asks_for_no_fraction() -> None:
    for size in (7, 4000):  # libjpeg's 7/8 of 7 pixels are 7 pixels, too, and other ones
        assert least_size(Header("jpeg", size, size), GREY) == (0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_fraction_shows_what_the_full_size_shows(mode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[encoded.ORIENTATION] = orientation
    data = encoded.encode(encoded.picture(300, 170, mode), "JPEG", quality=95, exif=exif)
    full = decode(data, FRACTION.model_copy(update={"decoder": "full"}))
    fraction = decode(data, FRACTION)
    assert largest_difference(fraction, full) <= 6
    assert not np.array_equal(fraction, full)


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_jpeg_cut_short_is_refused_at_a_fraction_too(mode: str, progressive: bool) -> None:
    data = encoded.encode(encoded.picture(300, 170, mode), "JPEG", progressive=progressive)
    assert least_size(read_checked_header(data), FRACTION) != (0, 0)
    for cut in {*range(0, len(data), 41), *range(len(data) - 14, len(data) - 2)}:
        with pytest.raises(BadImage):
            decode(data[:cut], FRACTION)


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_other_types_know_no_fraction(format_: str) -> None:
    data = encoded.encode(encoded.picture(300, 170), format_)
    np.testing.assert_array_equal(decode(data, FRACTION), decode(data, FRACTION.model_copy(update={"decoder": "full"})))
