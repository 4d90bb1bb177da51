"""`training.data.images`: a data set that is not in memory behaves as an array does."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.bundle.input_spec import InputSpec
from models.errors import BadImage, UnsupportedType
from models.imaging.decode import decode
from models.imaging.resizing import fit
from models.imaging.types import Header, Pixels
from tests.training.squares import squares, write_image
from training.data.dataset import Dataset, subset
from training.data.images import (
    SERVABLE_SUFFIXES,
    SUFFIXES,
    Encoded,
    aspect,
    aspects,
    key_of,
    read_image,
    select,
    unpadded,
)
from training.export.bundle_files import encode_png

SPEC = InputSpec(height=8, width=8, channels=3)


@pytest.fixture
def pixels() -> Pixels:
    return np.asarray(squares(30).images)


@pytest.fixture
def images(pixels: Pixels) -> Encoded:
    return Encoded(lambda position: encode_png(pixels[position]), np.arange(30), SPEC)


def test_it_has_the_shape_and_the_pixels_of_the_array(images: Encoded, pixels: Pixels) -> None:
    assert (images.shape, len(images)) == (pixels.shape, 30)
    for positions in (np.arange(30), np.array([7, 7, 2]), np.array([], np.int64)):
        found = images[positions]
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, pixels[positions])


def test_a_selection_decodes_nothing_and_counts_from_0(pixels: Pixels) -> None:
    read = []

    def encoded(position: int) -> bytes:
        read.append(position)
        return encode_png(pixels[position])

    selected = select(select(Encoded(encoded, np.arange(30), SPEC), np.arange(10, 20)), np.array([3, 1]))
    assert read == []
    np.testing.assert_array_equal(selected[np.array([1])], pixels[[11]])
    assert read == [11]


def test_a_selection_of_an_array_is_an_array(pixels: Pixels) -> None:
    np.testing.assert_array_equal(select(pixels, np.array([3, 1])), pixels[[3, 1]])


def test_an_image_that_cannot_be_decoded_is_an_error() -> None:
    with pytest.raises(BadImage):
        Encoded(lambda _: b"", np.arange(1), SPEC)[np.arange(1)]


def test_a_subset_and_its_fingerprint_are_the_same_as_in_memory(images: Encoded) -> None:
    loaded = squares(30)
    streamed = Dataset("squares", images, loaded.labels, loaded.classes, loaded.input)
    assert streamed.fingerprint() == loaded.fingerprint()
    few = subset(streamed, 12, seed=1)
    assert isinstance(few.images, Encoded)
    assert few.fingerprint() == subset(loaded, 12, seed=1).fingerprint()


def encoded(width: int, height: int, orientation: int | None = None, kind: str = "JPEG") -> bytes:
    body, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(body, kind, exif=exif)
    return body.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "expected"), [(None, 1.5), (3, 1.5), (6, 2 / 3)], ids=["no EXIF", "turned over", "on its side"]
)
def test_the_proportions_are_those_of_the_upright_image(kind: str, orientation: int | None, expected: float) -> None:
    assert aspect(encoded(30, 20, orientation, kind)) == pytest.approx(expected)


def test_damaged_exif_turns_nothing() -> None:
    data = encoded(30, 20, 6)
    start = data.index(b"Exif") + 10
    assert aspect(data[:start] + b"\xff" * 20 + data[start + 20 :]) == 1.5


def test_encoded_images_have_their_own_proportions_and_arrays_the_array_s() -> None:
    files = [encoded(30, 20), encoded(20, 20), encoded(10, 40)]
    images = select(Encoded(files.__getitem__, np.arange(3), SPEC), np.array([2, 0]))
    assert aspects(images, np.array([1, 0])) == [1.5, 0.25]
    assert aspects(np.zeros((3, 8, 16, 1), np.uint8), np.array([0, 2])) == [2.0, 2.0]


SHAPES = [(3, 24), (24, 3), (8, 8), (5, 11), (1, 300), (300, 1)]


@pytest.mark.parametrize(("height", "width"), SHAPES, ids="{}".format)
def test_an_image_without_its_padding_is_near_to_the_stretched_one(height: int, width: int) -> None:
    ramp = np.linspace(0, 255, height * width).reshape(height, width, 1).repeat(3, axis=2).astype(np.uint8)
    header = Header("png", ramp.shape[1], ramp.shape[0])
    padded, stretched = (
        fit(ramp, header, InputSpec(height=32, width=32, channels=3, fit=kind)) for kind in ("pad", "stretch")
    )
    spec = InputSpec(height=32, width=32, channels=3, fit="pad")
    found = np.asarray(unpadded(padded[None], [width / height], spec)[np.arange(1)][0])
    assert np.abs(found.astype(int) - stretched).mean() <= 6
    assert (found != spec.background).any(axis=2).mean() >= 0.9


def test_encoded_images_without_padding_are_decoded_stretched() -> None:
    data = encode_png(np.random.default_rng(0).integers(0, 256, (10, 30, 3), dtype=np.uint8))
    padded = Encoded(lambda _: data, np.arange(2), SPEC.model_copy(update={"fit": "pad"}))
    found = unpadded(padded, (), padded.spec)
    np.testing.assert_array_equal(found[np.arange(2)], np.stack([decode(data, SPEC)] * 2))


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.png", ""), ("a.jpg", ""), ("a.webp", ""), ("a.tif", "tiff"), ("a.bmp", "bmp"), ("a.gif", "gif"),
     ("a.avif", "avif")],
)  # fmt: skip
def test_a_file_is_read_as_the_service_can_take_it_and_known_by_its_own_bytes(
    tmp_path: Path, name: str, format_: str
) -> None:
    file = write_image(tmp_path / name, np.full((8, 8, 3), 90, np.uint8))
    data, key, found = read_image(file)
    assert (key, found) == (hashlib.sha256(file.read_bytes()).digest(), format_)
    assert key == key_of(file.read_bytes())
    assert (data == file.read_bytes()) is (format_ == "")
    assert np.abs(decode(data, SPEC).astype(int) - 90).max() <= 2


def test_the_name_of_a_file_says_nothing_of_its_type(tmp_path: Path) -> None:
    file = write_image(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint8)).rename(tmp_path / "a.jpg")
    assert read_image(file).format == "tiff"


def test_a_file_that_cannot_be_converted_is_an_error(tmp_path: Path) -> None:
    file = write_image(tmp_path / "a.tif", np.zeros((8, 8), np.float32))
    with pytest.raises(UnsupportedType, match="not levels of 1 to 16 bits"):
        read_image(file)


def test_names_of_served_types_are_among_those_that_are_read() -> None:
    assert set(SERVABLE_SUFFIXES) < set(SUFFIXES)
    assert {suffix for suffix in SUFFIXES if suffix == suffix.lower() and suffix.startswith(".")} == set(SUFFIXES)


def test_a_photo_beyond_the_limit_of_pixels_is_read_at_a_fraction(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = tmp_path / "phone.jpg"
    photo = Image.fromarray(small).resize((8064, 6048), Image.Resampling.NEAREST)
    photo.save(file, quality=90)  # 48.8 million pixels
    images = Encoded(lambda _: read_image(file).data, np.arange(1), InputSpec(height=6, width=8, channels=3))
    whole = photo.resize((8, 6), Image.Resampling.BILINEAR)
    assert np.abs(images[np.arange(1)][0].astype(int) - np.asarray(whole)).max() <= 3
