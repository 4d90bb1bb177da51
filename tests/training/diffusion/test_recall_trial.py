"""`training.diffusion.recall_trial`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.runtime.sessions import Embedder
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.data.split import split
from training.diffusion.image_maker import fit_maker
from training.diffusion.recall_trial import RecallTrial, Way, small, try_diffusion
from training.exceptions import DataError
from training.export.bundle_files import encode_png


def streamed(count: int) -> Dataset:
    dataset = squares(count)
    pixels = np.asarray(dataset.images)
    images = Encoded(lambda position: encode_png(pixels[position]), np.arange(count), dataset.input)
    return replace(dataset, images=images)


def way(name: str, *recall: float) -> Way:
    return Way(name, recall, recall)


def test_every_way_is_measured_with_each_seed_on_the_same_images(embedder: Embedder) -> None:
    dataset = streamed(150)
    embedding = embedder(dataset.images[np.arange(150)])
    found = try_diffusion(dataset, embedder, embedding, split(dataset, 0), [2], keep=8, seeds=(0, 1), steps=2)
    assert [each.name for each in found.ways] == ["as they are", "class weights", "duplicated", "varied", "diffusion"]
    assert all(len(each.recall) == len(each.accuracy) == 2 for each in found.ways)
    assert found.counts[0] == 8 < found.counts[1]
    assert all(0 <= value <= 1 for each in found.ways for value in (*each.recall, *each.accuracy))


def test_a_class_that_is_not_rare_is_refused(embedder: Embedder) -> None:
    dataset = streamed(60)
    embedding = embedder(dataset.images[np.arange(60)])
    with pytest.raises(DataError, match="'red' is not rare"):
        try_diffusion(dataset, embedder, embedding, split(dataset, 0), [2], keep=None, seeds=(0, 1), steps=2)


def test_small_images_are_those_of_the_files_at_32_pixels() -> None:
    dataset = streamed(12)
    assert isinstance(dataset.images, Encoded)
    assert small(dataset.images, np.arange(3)).shape == (3, 32, 32, 3)


def test_diffusion_wins_only_if_it_beats_every_other_way() -> None:
    maker = fit_maker(np.zeros((4, 32, 32, 1), np.uint8), np.zeros(4, np.int64), 1, steps=1, seed=0)
    plain, weighted, made = way("a", 0.5, 0.52, 0.51), way("b", 0.6, 0.61, 0.62), way("diffusion", 0.7, 0.71, 0.73)
    assert RecallTrial((plain, weighted, made), (1, 2), maker, (0,)).is_won
    assert not RecallTrial((plain, made, weighted), (1, 2), maker, (0,)).is_won
    assert not RecallTrial((plain, weighted, weighted), (1, 2), maker, (0,)).is_won
    gain, spread = made.gain(plain)
    assert gain == pytest.approx(0.2033, abs=1e-3)
    assert 0 < spread < 0.05
