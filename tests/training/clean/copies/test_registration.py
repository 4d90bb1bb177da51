"""`training.clean.copies.registration`: how an image was moved is found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from training.clean.copies.registration import Maps, register, similarity, warp


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1, (6, 32, 32))
    return (128 + 400 * gaussian_filter(noise, (0, 2.5, 2.5))).astype(np.float32)


@pytest.mark.parametrize(
    "move",
    [
        pytest.param(similarity(shift=(0.06, -0.05)), id="shifted"),
        pytest.param(similarity(degrees=3), id="turned"),
        pytest.param(similarity(scale=0.96), id="larger"),
        pytest.param(similarity(scale=1.03, degrees=-2, shift=(0.02, 0.03)), id="all of it"),
    ],
)
def test_a_move_is_found_again_whatever_the_brightness(images: np.ndarray, move: Maps) -> None:
    moved, _ = warp(images, np.repeat(move[None], len(images), 0))
    start = np.repeat(similarity()[None], len(images), 0)
    found = register(moved, 0.8 * images + 20, start, steps=8)
    assert np.abs(found - move).max() < 0.02


def test_an_image_stays_where_it_is(images: np.ndarray) -> None:
    start = np.repeat(similarity()[None], len(images), 0)
    assert np.array_equal(register(images, images, start, steps=3), start)
    moved, inside = warp(images, start)
    assert moved == pytest.approx(images, abs=0.1)
    assert inside.all()


def test_what_lies_outside_is_told(images: np.ndarray) -> None:
    _, inside = warp(images[:1], similarity(shift=(0, 0.125))[None])
    assert inside[0].sum(1).tolist() == [30] * 32
