"""`training.clean.outliers`: what is unlike all others, and that nothing is where all are alike."""

from __future__ import annotations

import numpy as np
import pytest

from training.clean.copies.perceptual_hash import hash_images
from training.clean.outliers import find_outliers


@pytest.fixture
def images() -> np.ndarray:
    """100 noisy images, some brighter than others."""
    dice = np.random.default_rng(0)
    levels = dice.normal(120, 8, (100, 1, 1, 1))
    return (levels + dice.normal(0, 30, (100, 16, 16, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture
def embedding() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(100, 16)).astype(np.float32)


def test_nothing_is_odd_among_the_like(images: np.ndarray, embedding: np.ndarray) -> None:
    assert find_outliers(hash_images(images), embedding) == []


@pytest.mark.parametrize(
    ("spread", "reason"),
    [pytest.param(0, "one colour", id="one colour"), pytest.param(4, "nearly one colour", id="nearly one colour")],
)
def test_one_colour_is_odd(images: np.ndarray, embedding: np.ndarray, spread: int, reason: str) -> None:
    images[13] = np.array([120, 60, 200]) + np.random.default_rng(0).integers(0, spread + 1, (16, 16, 1))
    (outlier,) = (outlier for outlier in find_outliers(hash_images(images), embedding) if outlier.position == 13)
    assert outlier.reason == reason


@pytest.mark.parametrize(("shift", "word"), [(-110, "dark"), (110, "bright")])
def test_dark_and_bright_are_odd_with_their_levels(
    images: np.ndarray, embedding: np.ndarray, shift: int, word: str
) -> None:
    images[13] = (images[13].astype(int) + shift).clip(0, 255)
    (outlier,) = find_outliers(hash_images(images), embedding)
    assert outlier.position == 13
    assert outlier.reason.startswith(f"very {word}: {images[13].mean():.0f} of 255, the median is 1")


def test_what_lies_far_from_all_others_is_odd_and_the_farthest_comes_first(
    images: np.ndarray, embedding: np.ndarray
) -> None:
    embedding[13], embedding[14] = 10, -20
    far, near = find_outliers(hash_images(images), embedding)
    assert (far.position, near.position) == (14, 13)
    assert far.reason.startswith("unlike all others")


def test_four_copies_of_an_odd_image_do_not_make_it_usual(images: np.ndarray, embedding: np.ndarray) -> None:
    embedding[10:14] = 10
    assert [outlier.position for outlier in find_outliers(hash_images(images), embedding)] == [10, 11, 12, 13]


def test_an_image_is_listed_once(images: np.ndarray, embedding: np.ndarray) -> None:
    images[13], embedding[13] = 0, 50
    (outlier,) = find_outliers(hash_images(images), embedding)
    assert outlier.reason == "one colour"


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_images_are_no_error(images: np.ndarray, embedding: np.ndarray, count: int) -> None:
    assert find_outliers(hash_images(images[:count]), embedding[:count]) == []
