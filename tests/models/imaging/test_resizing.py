"""`models.imaging.resizing`: images of another shape than the input's, against a resampling that is written out
here."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.imaging.decode import decode
from models.imaging.jpeg.jpeg_decoder import least_size
from models.imaging.resizing import fit, fitted_size
from models.imaging.types import Header
from tests.models import encoded

Fit = Literal["stretch", "pad", "crop"]
FITS: list[Fit] = ["stretch", "pad", "crop"]
BACKGROUND = 200
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What each EXIF orientation asks for, Exif 2.32 table 6."""


def spec_of(fit_: Fit, height: int, width: int, channels: Literal[1, 3] = 3) -> InputSpec:
    return InputSpec(height=height, width=width, channels=channels, fit=fit_, background=BACKGROUND)


def header_of(image: np.ndarray, orientation: int = 1) -> Header:
    return Header("png", image.shape[1], image.shape[0], orientation=orientation)


def weights(length: int, low: float, high: float, count: int) -> np.ndarray:
    """`[count, length]`: how much each pixel of a row tells of `count` equal pieces of it from `low` to `high`."""
    scale = (high - low) / count
    centres = low + (np.arange(count) + 0.5) * scale
    tents = np.clip(1 - np.abs(np.arange(length) + 0.5 - centres[:, None]) / max(scale, 1), 0, None)
    return tents / tents.sum(1, keepdims=True)


def resampled(image: np.ndarray, box: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
    left, top, right, bottom = box
    down, across = weights(image.shape[0], top, bottom, height), weights(image.shape[1], left, right, width)
    return np.einsum("ya,xb,abc->yxc", down, across, image.astype(float))


def expected(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """What the fit promises of an upright image, computed with its definition and in floats."""
    height, width, channels = image.shape
    if spec.fit == "stretch":
        return resampled(image, (0, 0, width, height), spec.width, spec.height)
    if spec.fit == "pad":
        ratio = min(spec.width / width, spec.height / height)
        wide, high = round(width * ratio), round(height * ratio)
        canvas = np.full((spec.height, spec.width, channels), float(BACKGROUND))
        left, top = (spec.width - wide) // 2, (spec.height - high) // 2
        canvas[top : top + high, left : left + wide] = resampled(image, (0, 0, width, height), wide, high)
        return canvas
    ratio = min(width / spec.width, height / spec.height)
    wide, high = spec.width * ratio, spec.height * ratio
    left, top = (width - wide) / 2, (height - high) / 2
    return resampled(image, (left, top, left + wide, top + high), spec.width, spec.height)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
@pytest.mark.parametrize("orientation", range(1, 9), ids="orientation {}".format)
@pytest.mark.parametrize(
    ("height", "width"), [(37, 53), (90, 31), (11, 7), (40, 160)], ids=["wide", "tall", "smaller", "four times as wide"]
)
@pytest.mark.parametrize("fit_", FITS)
def test_pixels_are_what_the_fit_promises(
    fit_: Fit, height: int, width: int, orientation: int, channels: Literal[1, 3]
) -> None:
    spec, image = spec_of(fit_, 24, 32, channels), noise(height, width, channels)
    found = fit(image, header_of(image, orientation), spec)
    assert (found.shape, found.dtype) == ((24, 32, channels), np.uint8)
    assert np.abs(found - expected(TURNS[orientation](image), spec)).max() <= 1


@pytest.mark.parametrize("fit_", FITS)
def test_an_image_of_the_input_s_size_stays_as_it_is(fit_: Fit) -> None:
    image = noise(24, 32)
    np.testing.assert_array_equal(fit(image, header_of(image), spec_of(fit_, 24, 32)), image)


def test_a_crop_of_whole_pixels_takes_them_as_they_are() -> None:
    image = noise(24, 52)
    np.testing.assert_array_equal(fit(image, header_of(image), spec_of("crop", 24, 32)), image[:, 10:42])


def test_a_center_leaves_out_the_border_before_it_is_scaled() -> None:
    spec = InputSpec(height=24, width=32, channels=3, fit="crop", center=0.5)
    image = noise(48, 64)
    np.testing.assert_array_equal(fit(image, header_of(image), spec), image[12:36, 16:48])
    small = image[:24, :32]
    np.testing.assert_array_equal(fit(small, header_of(small), spec.of_inputs), small)
    found = fit(small, header_of(small), spec)
    assert np.abs(found - resampled(small, (8, 6, 24, 18), 32, 24)).max() <= 1, "an image of the input's size, too"


def test_a_center_needs_a_larger_fraction_of_a_jpeg() -> None:
    header, spec = Header("jpeg", 960, 256), spec_of("crop", 64, 64).model_copy(update={"decoder": "fraction"})
    assert least_size(header, spec) == (64, 240)
    assert least_size(header, spec.model_copy(update={"center": 0.5})) == (128, 480)


def test_a_center_is_for_crops_alone() -> None:
    with pytest.raises(ValueError, match=r"center is 0\.5, but fit is 'pad'; only 'crop' leaves out a border"):
        InputSpec(height=8, width=8, channels=1, fit="pad", center=0.5)


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("fit_", FITS)
def test_the_filter_is_the_bundles(fit_: Fit, resize: Literal["bilinear", "bicubic", "lanczos"]) -> None:
    image = noise(48, 64)
    spec = InputSpec(height=24, width=32, channels=3, fit=fit_, resize=resize)
    by_pillow = Image.fromarray(image).resize((32, 24), Image.Resampling[resize.upper()])
    np.testing.assert_array_equal(fit(image, header_of(image), spec), np.asarray(by_pillow))


def test_what_cannot_be_in_the_middle_is_a_pixel_nearer_to_the_top() -> None:
    image = noise(1, 4)
    found = fit(image, header_of(image), spec_of("pad", 4, 4))
    assert [bool((row == BACKGROUND).all()) for row in found] == [True, False, True, True]


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 5000), (5000, 1), (1, 2), (3, 4096)],
    ids=["a pixel", "a line", "a column", "two pixels", "a thin strip"],
)
@pytest.mark.parametrize("side", [(64, 64), (8, 4096), (4096, 8), (1, 1)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("fit_", FITS)
def test_images_of_extreme_shape_are_shown(fit_: Fit, side: tuple[int, int], height: int, width: int) -> None:
    image = np.full((height, width, 1), 7, np.uint8)
    found = fit(image, header_of(image), spec_of(fit_, *side, channels=1))
    assert found.shape == (*side, 1)
    assert (found == 7).any()
    assert set(np.unique(found)) <= ({7, BACKGROUND} if fit_ == "pad" else {7})


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        pytest.param(640, 480, (64, 48), id="a photograph"),
        pytest.param(480, 640, (48, 64), id="a photograph on its side"),
        pytest.param(5000, 1, (64, 1), id="never less than a pixel high"),
        pytest.param(1, 5000, (1, 64), id="never less than a pixel wide"),
        pytest.param(128, 3, (64, 2), id="a half is rounded up"),
        pytest.param(3, 3, (64, 64), id="a square fills the input"),
    ],
)
def test_a_padded_image_touches_two_sides(width: int, height: int, size: tuple[int, int]) -> None:
    assert fitted_size(width, height, spec_of("pad", 64, 64)) == size


@pytest.mark.parametrize(
    ("fit_", "size", "orientation", "least"),
    [
        pytest.param("stretch", (320, 80), 1, (0, 0), id="stretched, at its own size, its height being a fourth"),
        pytest.param("crop", (320, 80), 1, (0, 0), id="cropped, at its own size, its height being a fourth"),
        pytest.param("pad", (320, 80), 1, (20, 80), id="padded, at a fourth of its size"),
        pytest.param("pad", (80, 320), 6, (80, 20), id="padded and on its side, as it is shown"),
        pytest.param("pad", (64, 64), 1, (0, 0), id="padded, at its own size, as it fills the input"),
        pytest.param("crop", (960, 256), 1, (64, 240), id="cropped, at a fourth of its size"),
    ],
)
def test_a_jpeg_is_decoded_at_a_fraction_that_leaves_enough_of_what_is_shown(
    fit_: Fit, size: tuple[int, int], orientation: int, least: tuple[int, int]
) -> None:
    spec = spec_of(fit_, 64, 64).model_copy(update={"decoder": "fraction"})
    assert least_size(Header("jpeg", *size, orientation=orientation), spec) == least


@pytest.mark.parametrize("fit_", FITS)
def test_a_fraction_shows_what_the_full_size_shows(fit_: Fit) -> None:
    data = encoded.encode(encoded.picture(700, 160), "JPEG", quality=95, subsampling=0)
    full = spec_of(fit_, 32, 32)
    fraction = full.model_copy(update={"decoder": "fraction"})
    assert np.abs(decode(data, fraction).astype(int) - decode(data, full)).max() <= 8


@pytest.mark.parametrize("fit_", FITS)
def test_transparency_and_padding_have_the_same_background(fit_: Fit) -> None:
    body = io.BytesIO()
    Image.new("RGBA", (40, 10)).save(body, "PNG")
    assert (decode(body.getvalue(), spec_of(fit_, 16, 16)) == BACKGROUND).all()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("fit_", ["pad", "crop"])
@pytest.mark.parametrize(("width", "height"), [(511, 300), (450, 449), (303, 511)])
def test_a_fraction_has_the_shape_of_the_whole_image(width: int, height: int, fit_: Fit, orientation: int) -> None:
    x, y = np.meshgrid(np.linspace(0, 250, width), np.linspace(0, 250, height))
    image = Image.fromarray(np.stack([x, y, 250 - x], axis=-1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data, whole = (encoded.encode(image, kind, quality=98, exif=exif) for kind in ("JPEG", "PNG"))
    spec = spec_of(fit_, 28, 28).model_copy(update={"decoder": "fraction", "background": 0})
    difference = np.abs(decode(data, spec).astype(int) - decode(whole, spec))
    assert difference.mean() < 2
    assert difference.max() < 16
