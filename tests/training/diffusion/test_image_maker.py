"""`training.diffusion.image_maker`."""

from __future__ import annotations

import numpy as np
import pytest

from training.diffusion.image_maker import fit_maker


def plain(count: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Dark images of class 0 and bright ones of class 1."""
    labels = np.arange(count) % 2
    images = np.where(labels[:, None, None, None] == 1, 220, 30) * np.ones((1, side, side, 1))
    return images.astype(np.uint8), labels.astype(np.int64)


def test_images_have_the_size_of_those_that_were_given_and_the_seed_decides() -> None:
    images, labels = plain(8, side=28)
    maker = fit_maker(images, labels, 2, steps=2, seed=0)
    made = maker.make(1, 3, seed=5)
    assert (made.shape, made.dtype) == ((3, 28, 28, 1), np.uint8)
    np.testing.assert_array_equal(made, maker.make(1, 3, seed=5))
    np.testing.assert_array_equal(made, fit_maker(images, labels, 2, steps=2, seed=0).make(1, 3, seed=5))


@pytest.mark.slow
def test_what_it_makes_is_of_its_class() -> None:
    images, labels = plain(20)
    maker = fit_maker(images, labels, 2, steps=150, seed=0)
    dark, bright = (maker.make(class_, 4, seed=1).mean() for class_ in (0, 1))
    assert dark < 80
    assert bright > 170
