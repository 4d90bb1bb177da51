"""`training.sources`: which embeddings the head is fitted on, and who judges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.sessions import Embedder
from tests.training.squares import squares
from training.dataset import Dataset
from training.heads import Lesson
from training.network import EmbeddingNetwork
from training.recipe import PRESETS
from training.sources import judging_positions, lessons
from training.split import Split, split

TRAINING, AUGMENTED, HELD_OUT = "training images", "training images, augmented", "held-out images"


def found(dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder) -> dict[str, Lesson]:
    embedding = embedder(np.asarray(dataset.images))
    return dict(lessons(dataset, parts, embedding, network, embedder, recipe=PRESETS["quick"], seed=0))


@pytest.fixture(scope="module")
def sources(dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder) -> dict[str, Lesson]:
    return found(dataset, parts, network, embedder)


def test_there_are_three_sources(
    sources: dict[str, Lesson], dataset: Dataset, parts: Split, embedder: Embedder
) -> None:
    assert list(sources) == [TRAINING, AUGMENTED, HELD_OUT]
    np.testing.assert_allclose(sources[TRAINING].embedding, embedder(dataset.images[parts.train]), rtol=1e-5)
    np.testing.assert_array_equal(sources[HELD_OUT].labels, dataset.labels[parts.validation[0::2]])
    np.testing.assert_array_equal(sources[AUGMENTED].labels, dataset.labels[parts.train])
    assert not np.array_equal(sources[AUGMENTED].embedding, sources[TRAINING].embedding)


def test_the_judging_images_are_the_validation_images_that_no_source_has(parts: Split) -> None:
    judging = judging_positions(parts)
    assert sorted([*judging, *parts.validation[0::2]]) == parts.validation.tolist()


def test_the_same_seed_gives_the_same_variants(
    sources: dict[str, Lesson], dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    again = found(dataset, parts, network, embedder)
    np.testing.assert_array_equal(again[AUGMENTED].embedding, sources[AUGMENTED].embedding)


def test_a_source_that_lacks_a_class_is_left_out(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    few = replace(parts, validation=parts.validation[dataset.labels[parts.validation] > 0])
    assert list(found(dataset, few, network, embedder)) == [TRAINING, AUGMENTED]


def test_without_validation_images_nobody_judges(network: EmbeddingNetwork, embedder: Embedder) -> None:
    dataset = squares(6)
    parts = split(dataset, 0)
    assert list(found(dataset, parts, network, embedder)) == [TRAINING, AUGMENTED]
    assert len(judging_positions(parts)) == 0
