"""`training.instances.pooling_choice`: the simplest way of pooling that no other clearly beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle.manifest import SEQUENCE
from models.pooling import PoolKind
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.instances.instance_photos import Photos
from training.instances.pooling_choice import choose_pooling

COUNT, PHOTOS, WIDTH = 200, 3, 6
LABELS = np.arange(COUNT) % 2


def dataset_of(labels: np.ndarray = LABELS, classes: tuple[str, ...] = ("a", "b")) -> Dataset:
    dataset = squares(COUNT)
    photos = Photos(np.repeat(dataset.images, PHOTOS, 0), (), np.full(COUNT, PHOTOS))
    return replace(dataset, labels=labels, classes=classes, photos=photos)


def noise() -> np.ndarray:
    """Embeddings `[N, P, D]` that say nothing of the class."""
    return np.random.default_rng(0).normal(0, 1, (COUNT, PHOTOS, WIDTH)).astype(np.float32)


def told_by_the_mean() -> np.ndarray:
    found = noise()
    found[..., 0] += 2 * LABELS[:, None]
    return found


def told_by_one_photo() -> np.ndarray:
    """Of the class 1 one photo, whichever it is, stands out."""
    found = noise()
    found[np.arange(COUNT), np.random.default_rng(1).integers(0, PHOTOS, COUNT), 0] += 6 * LABELS
    found[:, :, 0] -= found[:, :, 0].mean(1, keepdims=True)
    return found


def told_by_the_change() -> np.ndarray:
    """The class says whether the first or the last photo stands out; mean and largest are the same."""
    found = noise()
    found[:, 0, 0] += 3 * LABELS
    found[:, -1, 0] += 3 * (1 - LABELS)
    return found


def told_by_good_photos() -> np.ndarray:
    """Photos say the class well or hardly, and the second number says which."""
    found, quality = noise(), np.random.default_rng(2).random((COUNT, PHOTOS))
    found[..., 0] = 3 * LABELS[:, None] * (quality > 0.5) + (4 * (quality <= 0.5) + 0.3) * found[..., 0]
    found[..., 1] = 2 * (quality > 0.5) + 0.1 * found[..., 1]
    return found


@pytest.mark.parametrize(
    ("embedding", "pooling"),
    [
        pytest.param(told_by_the_mean(), ("mean",), id="the mean says all"),
        pytest.param(told_by_one_photo(), ("mean", "max"), id="one photo stands out"),
        pytest.param(told_by_the_change(), ("mean", "max", "change"), id="the photos change"),
        pytest.param(told_by_good_photos(), ("attention",), id="some photos say more than others"),
    ],
)
def test_what_does_not_clearly_help_is_left_out(embedding: np.ndarray, pooling: tuple[PoolKind, ...]) -> None:
    choice = choose_pooling(dataset_of(), embedding.reshape(-1, WIDTH), np.arange(COUNT), seed=0)
    assert choice.pooling.kinds == pooling
    assert "log loss of a linear head on 200 rows is" in choice.sentence


def test_numbers_are_compared_by_squared_errors() -> None:
    numbers = told_by_the_change()
    labels = (numbers[:, -1, 0] - numbers[:, 0, 0]).astype(np.float64)
    choice = choose_pooling(dataset_of(labels, ()), numbers.reshape(-1, WIDTH), np.arange(COUNT), seed=0)
    assert choice.pooling.kinds == ("mean", "max", "change")


def test_test_images_choose_nothing() -> None:
    embedding = told_by_the_mean()
    known = np.arange(COUNT - 40)
    chosen = choose_pooling(dataset_of(), embedding.reshape(-1, WIDTH), known, seed=0)
    embedding[known[-1] + 1 :] = np.nan
    again = choose_pooling(dataset_of(), embedding.reshape(-1, WIDTH), known, seed=0)
    assert (again.pooling, again.sentence) == (chosen.pooling, chosen.sentence)


def test_attention_pools_an_instance_by_weights_that_were_fitted_without_it() -> None:
    embedding = told_by_good_photos().reshape(-1, WIDTH)
    known, test = np.arange(COUNT - 40), np.arange(COUNT - 40, COUNT)
    choice = choose_pooling(dataset_of(), embedding, known, seed=0)
    assert list(choice.files) == [SEQUENCE]
    pooled = choice.pooling.each(embedding, [PHOTOS] * COUNT)
    np.testing.assert_array_equal(choice.rows[test], pooled[test])
    off = np.abs(choice.rows[known] - pooled[known]).max(1)
    assert float(off.min()) > 0
    assert float(np.median(off)) < 0.5, "folds weigh alike"


def test_two_groups_are_enough() -> None:
    dataset = replace(dataset_of(), groups=np.arange(COUNT) // (COUNT // 2))
    choice = choose_pooling(dataset, told_by_the_mean().reshape(-1, WIDTH), np.arange(COUNT), seed=0)
    assert choice.pooling.kinds == ("mean",)
