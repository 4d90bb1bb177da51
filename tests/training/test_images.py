"""`training.images`: a data set that is not in memory behaves as an array does."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import BadImage
from models.manifest import InputSpec
from models.pixels import Pixels
from tests.training.squares import squares
from training.bundle import encode_png
from training.dataset import Dataset, subset
from training.images import Encoded, select

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
