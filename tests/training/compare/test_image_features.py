"""Features that classical models look at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.compare.image_features import (
    Features,
    Pretrained,
    Store,
    export_pretrained,
    gradients,
    nothing,
    raw_pixels,
)
from training.compare.time_limit import Ended


def images(count: int, side: int, channels: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def test_small_images_are_taken_pixel_by_pixel() -> None:
    given = images(3, 28, 1)
    np.testing.assert_allclose(raw_pixels(given), given.reshape(3, -1) / 255, atol=1e-6)


def test_large_images_are_averaged_down() -> None:
    given = np.full((2, 64, 64, 3), 51, np.uint8)
    found = raw_pixels(given)
    assert found.shape == (2, 32 * 32 * 3)
    np.testing.assert_allclose(found, 0.2, atol=1e-6)


@pytest.mark.parametrize(("side", "channels"), [(8, 3), (28, 1), (64, 3), (96, 1)])
def test_gradients_of_any_image_are_some_hundred_numbers(side: int, channels: int) -> None:
    found = gradients(images(2, side, channels))
    assert found.dtype == np.float32
    assert found.shape[0] == 2
    assert 100 < found.shape[1] < 2000
    assert found.min() >= 0
    assert found.max() <= 1


def test_gradients_do_not_see_brightness() -> None:
    given = images(1, 28, 1) // 2
    np.testing.assert_allclose(gradients(given), gradients(given + 50), atol=1e-5)


def test_for_columns_alone_there_is_nothing_to_see() -> None:
    assert not nothing(images(2, 8, 1)).any()


def test_features_are_made_once() -> None:
    seen: list[int] = []

    def extract(given: NDArray[np.uint8]) -> Features:
        seen.append(len(given))
        return raw_pixels(given)

    given = images(10, 8, 1)
    store = Store(given, extract)
    store(np.array([1, 3]))
    np.testing.assert_array_equal(store(np.array([3, 5, 1])), raw_pixels(given[[3, 5, 1]]))
    assert seen == [2, 1]
    assert store.seconds > 0


def test_what_features_will_take_is_told_by_a_few_of_them() -> None:
    store = Store(images(200, 8, 1), gradients)
    everything = np.arange(200)
    before = store.expected_seconds(everything)
    store(everything)
    assert before > 0
    assert store.expected_seconds(everything) == 0


def test_features_end_with_their_limit_and_what_is_made_is_kept() -> None:
    store = Store(images(2000, 8, 1), raw_pixels)
    store(np.arange(10))
    with pytest.raises(Ended):
        store(np.arange(2000), 0.0)
    assert store(np.arange(10), 0.0).shape == (10, 64)


@pytest.mark.slow  # `test_model_measures.py` has a row on this network
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (64, 3)])
def test_the_pretrained_network_embeds_images_of_any_size(side: int, channels: int) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    given = images(3, side, channels)
    found = Pretrained(export_pretrained(given))(given)
    assert found.shape == (3, 1280)
    assert found.dtype == np.float32
    assert found.std() > 0
