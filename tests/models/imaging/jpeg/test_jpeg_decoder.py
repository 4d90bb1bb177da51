"""`models.imaging.jpeg.jpeg_decoder`: every legal sampling against OpenCV, and JPEGs beyond the limit of pixels at a
fraction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.errors import TooLarge, UnsupportedType
from models.imaging.decode import DEFAULT_MAX_PIXELS, decode, read_checked_header, read_header
from models.imaging.jpeg.jpeg_decoder import least_size
from models.imaging.types import Header, Pixels
from tests.models import encoded, jpegs
from tests.models.jpegs import Factors, adobe, sampled

SPEC = InputSpec(height=45, width=70, channels=3)
GREY = SPEC.model_copy(update={"channels": 1})
SMALL = SPEC.model_copy(update={"height": 11, "width": 17})


def as_opencv(data: bytes, flag: int = cv2.IMREAD_COLOR_RGB) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(pixels, np.uint8)


def is_whole_ratio(factors: list[Factors]) -> bool:
    return all(max(each[axis] for each in factors) % factor[axis] == 0 for factor in factors for axis in (0, 1))


@pytest.mark.parametrize("interval", [0, 2], ids=["no restart markers", "restart markers"])
def test_every_sampling_is_decoded_as_opencv_does(interval: int) -> None:
    whole = [factors for factors in jpegs.legal_samplings() if is_whole_ratio(factors)]
    assert len(whole) > 300
    for factors in whole:
        data = sampled(factors, interval=interval)
        np.testing.assert_array_equal(decode(data, SPEC), as_opencv(data), str(factors))


@pytest.mark.parametrize(
    "factors",
    [
        pytest.param([(1, 4), (1, 1), (1, 1)], id="4:4:1, whose header alone simplejpeg refuses"),
        pytest.param([(4, 1), (1, 1), (1, 1)], id="4:1:1"),
        pytest.param([(4, 2), (1, 1), (1, 1)], id="4:1:0"),
        pytest.param([(2, 4), (1, 1), (1, 1)], id="2x4"),
        pytest.param([(3, 1), (1, 1), (1, 1)], id="3x1"),
        pytest.param([(2, 2), (2, 1), (1, 2)], id="mixed"),
        pytest.param([(1, 1), (2, 2), (1, 1)], id="chroma finer than luma"),
    ],
)
def test_brightness_alone_is_decoded_as_opencv_does(factors: list[Factors]) -> None:
    data = sampled(factors)
    np.testing.assert_array_equal(decode(data, GREY)[:, :, 0], as_opencv(data, cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize(
    "factors",
    [
        pytest.param([(1, 1), (1, 1), (1, 1), (1, 1)], id="1111"),
        pytest.param([(2, 1), (1, 1), (1, 1), (1, 1)], id="2111"),
        pytest.param([(2, 1), (1, 1), (1, 1), (2, 1)], id="2112"),
        pytest.param([(1, 4), (1, 1), (1, 1), (1, 4)], id="4:4:1"),
        pytest.param([(1, 4), (1, 1), (1, 1), (1, 1)], id="1x4 alone"),
        pytest.param([(1, 1), (2, 1), (1, 1), (1, 1)], id="1211"),
        pytest.param([(4, 1), (1, 1), (2, 1), (1, 1)], id="4121"),
    ],
)
@pytest.mark.parametrize("start", [b"", adobe(0), adobe(2)], ids=["no marker", "CMYK", "YCCK"])
def test_four_components_are_decoded_as_opencv_does(start: bytes, factors: list[Factors]) -> None:
    data = sampled(factors, start=start)
    assert np.abs(decode(data, SPEC).astype(int) - as_opencv(data)).max() <= 2  # each rounds ink in its own way


@pytest.mark.parametrize("factors", [[(3, 1), (2, 1), (1, 1)], [(1, 2), (1, 3), (1, 1)]], ids=["3:2:1", "2:3"])
def test_samplings_that_are_no_whole_ratio_are_unsupported(factors: list[Factors]) -> None:
    data = sampled(factors)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None
    with pytest.raises(UnsupportedType, match=r"sampled \dx\d, \dx\d, \dx\d is not supported"):
        decode(data, SPEC)


@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize(
    "factors",
    [
        pytest.param([(2, 2), (1, 1), (1, 1)], id="4:2:0"),
        pytest.param([(4, 2), (1, 1), (1, 1)], id="4:1:0"),
        pytest.param([(1, 1), (2, 1), (1, 1), (1, 1)], id="CMYK 1211"),
    ],
)
def test_both_readers_take_the_same_fraction(factors: list[Factors], divisor: int) -> None:
    data = sampled(factors)
    header = read_header(data)._replace(divisor=divisor)
    height, width = -(-45 // divisor), -(-70 // divisor)
    spec = SPEC.model_copy(update={"height": height, "width": width})
    flags = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
    expected = as_opencv(data, flags[divisor])[:, :, ::-1]
    assert np.abs(decode(data, spec, header).astype(int) - expected).max() <= 2


# ---------------------------------------------------------------- beyond the limit of pixels


@pytest.mark.parametrize(
    ("size", "limit", "divisor"),
    [
        pytest.param((100, 80), 8000, 1, id="the limit itself"),
        pytest.param((100, 80), 7999, 2, id="a pixel more"),
        pytest.param((101, 81), 51 * 41, 2, id="sides are rounded up"),
        pytest.param((101, 81), 51 * 41 - 1, 4, id="and so are a pixel too many"),
        pytest.param((100, 80), 8000 // 24, 8, id="an eighth is the least there is"),
    ],
)
@pytest.mark.parametrize("decoder", ["full", "fraction"])
def test_a_jpeg_beyond_the_limit_is_decoded_at_the_largest_fraction_within(
    size: tuple[int, int], limit: int, divisor: int, decoder: str
) -> None:
    data = encoded.encode(encoded.picture(*size), "JPEG")
    header = read_checked_header(data, limit)
    assert (header.width, header.height, header.divisor) == (*size, divisor)
    spec = InputSpec(height=200, width=200, channels=3, decoder="full" if decoder == "full" else "fraction")
    least = (0, 0) if divisor == 1 else (-(-size[1] // divisor), -(-size[0] // divisor))
    assert least_size(header, spec) == least
    decode(data, spec, header)


def test_the_bundle_may_ask_for_a_smaller_fraction_than_the_limit_does() -> None:
    spec = InputSpec(height=10, width=10, channels=3, decoder="fraction")
    assert least_size(Header("jpeg", 800, 800, divisor=2), spec) == (100, 100)
    assert least_size(Header("jpeg", 80, 80, divisor=8), spec) == (10, 10)
    assert least_size(Header("jpeg", 8, 8, divisor=8), spec) == (1, 1)


def test_a_jpeg_over_the_limit_even_at_an_eighth_is_too_large() -> None:
    data = encoded.encode(encoded.picture(100, 80), "JPEG")
    with pytest.raises(TooLarge, match=r"100x80 = 8000 pixels, .* work as 333 even at an eighth .* limit is 332"):
        read_checked_header(data, 332)


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_other_types_over_the_limit_are_too_large(format_: str) -> None:
    with pytest.raises(TooLarge):
        read_checked_header(encoded.encode(encoded.picture(100, 80), format_), 7999)


@pytest.mark.parametrize(
    ("width", "height", "options", "divisor"),
    [
        pytest.param(8000, 6000, {}, 2, id="48 MP"),
        pytest.param(8160, 6144, {}, 2, id="50 MP"),
        pytest.param(8160, 6144, {"progressive": True}, 2, id="50 MP, progressive"),
        pytest.param(8160, 6144, {"progressive": True, "subsampling": 0}, 2, id="50 MP, progressive, not subsampled"),
        pytest.param(12000, 9000, {}, 4, id="108 MP"),
        pytest.param(16320, 12240, {}, 4, id="200 MP"),
    ],
)
def test_photos_of_phones_are_within_the_default_limit(
    width: int, height: int, options: dict[str, object], divisor: int
) -> None:
    header = read_checked_header(resized(encoded.encode(encoded.picture(), "JPEG", **options), width, height))
    assert header.divisor == divisor
    assert header.work_pixels <= DEFAULT_MAX_PIXELS


@pytest.mark.parametrize(
    ("width", "height", "options"),
    [
        pytest.param(65500, 65500, {}, id="4290 MP"),
        pytest.param(12000, 9000, {"progressive": True}, id="108 MP in 10 scans"),
        pytest.param(8160, 6144, {"progressive": True, "mode": "CMYK"}, id="50 MP of four inks in 18 scans"),
    ],
)
def test_what_costs_more_than_a_photo_is_too_large_before_it_is_decoded(
    width: int, height: int, options: dict[str, object]
) -> None:
    mode = str(options.pop("mode", "RGB"))
    data = encoded.encode(encoded.picture(mode=mode), "JPEG", **options)
    with pytest.raises(TooLarge, match=f"{width}x{height}"):
        read_checked_header(resized(data, width, height))


def resized(data: bytes, width: int, height: int) -> bytes:
    """The file, whose header tells of another size."""
    frame = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    size = height.to_bytes(2) + width.to_bytes(2)
    return data[: frame + 5] + size + data[frame + 9 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_fraction_by_the_limit_shows_what_the_full_size_shows(mode: str) -> None:
    data = encoded.encode(encoded.picture(300, 170, mode), "JPEG", quality=95)
    spec = InputSpec(height=24, width=24, channels=3)
    full, fraction = decode(data, spec), decode(data, spec, read_checked_header(data, 300 * 170 // 9))
    assert 0 < np.abs(fraction.astype(int) - full).max() <= 6


def test_an_mpo_is_its_first_picture() -> None:
    first, second = encoded.picture(), encoded.picture().rotate(180)
    exif = Image.Exif()
    exif[encoded.ORIENTATION] = 6
    data = encoded.encode(first, "MPO", save_all=True, append_images=[second])
    single = encoded.encode(first, "JPEG")
    turned = encoded.encode(second, "JPEG", exif=exif)
    np.testing.assert_array_equal(decode(data, SMALL), decode(single, SMALL))
    np.testing.assert_array_equal(decode(single + turned, SMALL), decode(single, SMALL))
