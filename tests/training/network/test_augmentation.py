"""`training.network.augmentation`: what may change in an image, and what may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.runtime.sessions import Embedder
from training.data.dataset import Dataset
from training.data.split import Split
from training.network.augmentation import augment, augmented_rows, shift
from training.network.network import EmbeddingNetwork
from training.network.presets import PRESETS, Hyperparameters

STILL = Hyperparameters(epochs=1, shift_fraction=0.0, erase_probability=0.0)
SHIFT = replace(STILL, shift_fraction=0.25)
ERASE = replace(STILL, erase_probability=1.0)


def images(count: int = 64, channels: int = 3, height: int = 12, width: int = 12) -> Tensor:
    """Every value of an image is another one, and above what noise reaches."""
    one = torch.arange(channels * height * width, dtype=torch.float32).reshape(1, channels, height, width) + 100
    return one.repeat(count, 1, 1, 1)


def varied(x: Tensor, hyperparameters: Hyperparameters, *, mirror: bool = False, seed: int = 0) -> Tensor:
    return augment(x, hyperparameters, mirror=mirror, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 64, 64), (3, 8, 8), (3, 8, 12)])
def test_shape_and_type_stay(channels: int, height: int, width: int) -> None:
    x = images(5, channels, height, width)
    variants = varied(x, Hyperparameters(epochs=1), mirror=True)
    assert (variants.shape, variants.dtype) == (x.shape, x.dtype)
    assert torch.isfinite(variants).all()


def test_nothing_changes_where_nothing_is_asked_for() -> None:
    assert torch.equal(varied(images(), STILL), images())


def test_about_half_of_the_images_are_mirrored() -> None:
    x = images(400)
    variants = varied(x, STILL, mirror=True)
    mirrored = (variants == x.flip(3)).flatten(1).all(1)
    same = (variants == x).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 150 < int(mirrored.sum()) < 250


def test_no_image_is_mirrored_where_mirroring_is_off() -> None:
    column_means = varied(images(200), SHIFT).mean((1, 2))
    assert (column_means.diff(dim=1) >= 0).all()


def test_a_shift_moves_the_image_by_up_to_its_reach_and_continues_the_border() -> None:
    x = images(300, 1)
    variants = varied(x, SHIFT)
    padded = torch.nn.functional.pad(x[:1], (3,) * 4, mode="replicate")
    windows = {(dy, dx): padded[0, :, dy : dy + 12, dx : dx + 12] for dy in range(7) for dx in range(7)}
    found = [next(offset for offset, w in windows.items() if torch.equal(variant, w)) for variant in variants]
    assert {dy for dy, _ in found} == set(range(7))
    assert {dx for _, dx in found} == set(range(7))


def test_a_shift_may_mirror_the_border_in_place_of_repeating_it() -> None:
    x = images(50, 1)
    found = shift(x, 2, torch.Generator().manual_seed(0), border="reflect")
    assert found[:, 0].diff(dim=1).abs().min() > 0  # no row is the one before again


def test_erasing_fills_one_rectangle_and_nothing_else() -> None:
    x = images(200)
    changed = varied(x, ERASE) != x
    assert (changed == changed[:, :1]).all()
    for mask in changed[:, 0]:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        for side in (rows, columns):
            positions = side.nonzero()[:, 0]
            assert len(positions) == positions[-1] - positions[0] + 1
            assert 1 <= len(positions) <= 6


def test_erasing_keeps_to_its_share_of_the_images() -> None:
    x = images(400)
    changed = (varied(x, replace(ERASE, erase_probability=0.25)) != x).flatten(1).any(1)
    assert 60 < int(changed.sum()) < 140


def test_noise_stays_in_the_range_of_normalized_images() -> None:
    assert varied(torch.zeros(50, 3, 12, 12), Hyperparameters(epochs=1)).abs().max() < 7


def test_the_generator_alone_decides() -> None:
    x, hyperparameters = images(), Hyperparameters(epochs=1)
    torch.manual_seed(1)
    first = varied(x, hyperparameters, mirror=True, seed=5)
    torch.manual_seed(2)
    assert torch.equal(first, varied(x, hyperparameters, mirror=True, seed=5))
    assert not torch.equal(first, varied(x, hyperparameters, mirror=True, seed=6))


def test_the_images_themselves_stay_as_they_are() -> None:
    x = images()
    varied(x, Hyperparameters(epochs=1), mirror=True)
    assert torch.equal(x, images())


def test_each_training_image_has_a_variant_with_its_label_and_the_same_seed_gives_the_same_ones(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    first, again, other = (
        augmented_rows(dataset, parts, network, embedder, PRESETS["quick"], seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.labels, dataset.labels[parts.train])
    np.testing.assert_array_equal(first.embedding, again.embedding)
    assert not np.array_equal(first.embedding, other.embedding)
    assert not np.array_equal(first.embedding, embedder(dataset.images[parts.train]))
