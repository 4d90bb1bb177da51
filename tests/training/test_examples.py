"""`training.examples`: which training images stand for all, and their pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from training.examples import choose_examples, make_examples, thumbnail


def test_rare_classes_have_as_many_examples_as_will_go() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    chosen = choose_examples(labels, np.arange(1000), 60, is_number=False, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [25, 25, 10]
    assert len(set(chosen.tolist())) == 60


def test_only_training_images_are_taken() -> None:
    positions = np.arange(100, 130)
    chosen = choose_examples(np.zeros(200, np.int64), positions, 1000, is_number=False, seed=0)
    assert chosen.tolist() == positions.tolist()


def test_numbers_are_spread_over_their_range() -> None:
    numbers = np.random.default_rng(0).permutation(1000).astype(np.float64)
    chosen = choose_examples(numbers, np.arange(1000), 11, is_number=True, seed=0)
    assert sorted(numbers[chosen].tolist()) == pytest.approx(np.linspace(0, 999, 11), abs=1)


def test_answers_are_positions_or_numbers() -> None:
    embedding = np.ones((3, 4), np.float32)
    assert make_examples(embedding, np.arange(3), embedding[0]).answers.dtype == np.int64
    assert make_examples(embedding, np.arange(3) / 2, embedding[0]).answers.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [((28, 28, 1), "PNG", (28, 28)), ((224, 112, 3), "JPEG", (24, 48))],
    ids=["small and grey", "large and in colour"],
)
def test_a_thumbnail_is_small(shape: tuple[int, int, int], kind: str, size: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(thumbnail(np.full(shape, 99, np.uint8))))
    assert (picture.format, picture.size) == (kind, size)
