"""`training.sources`: which embeddings the head is fitted on, and who judges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.sessions import Embedder
from tests.training.squares import squares
from training.crossfit import Source
from training.dataset import Dataset
from training.network import EmbeddingNetwork
from training.recipe import PRESETS
from training.sources import sources
from training.split import Split, split

TRAINING = "training images and held-out images"
AUGMENTED = "augmented training images and held-out images"
HELD_OUT = "held-out images"


def found(dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder) -> dict[str, Source]:
    embedding = embedder(np.asarray(dataset.images))
    return sources(dataset, parts, embedding, network, embedder, recipe=PRESETS["quick"], seed=0)


@pytest.fixture(scope="module")
def made(dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder) -> dict[str, Source]:
    return found(dataset, parts, network, embedder)


def test_there_are_three_sources(made: dict[str, Source], dataset: Dataset, parts: Split, embedder: Embedder) -> None:
    assert list(made) == [TRAINING, AUGMENTED, HELD_OUT]
    np.testing.assert_allclose(made[TRAINING].seen.embedding, embedder(dataset.images[parts.train]), rtol=1e-5)
    np.testing.assert_array_equal(made[AUGMENTED].seen.labels, dataset.labels[parts.train])
    assert not np.array_equal(made[AUGMENTED].seen.embedding, made[TRAINING].seen.embedding)
    assert len(made[HELD_OUT].seen) == 0


def test_all_validation_images_judge_whatever_their_order(
    made: dict[str, Source], dataset: Dataset, parts: Split
) -> None:
    for source in made.values():
        np.testing.assert_array_equal(source.judged.labels, dataset.labels[parts.validation])
        assert set(source.judged.labels.tolist()) == {0, 1, 2}


def test_the_same_seed_gives_the_same_variants(
    made: dict[str, Source], dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    again = found(dataset, parts, network, embedder)
    np.testing.assert_array_equal(again[AUGMENTED].seen.embedding, made[AUGMENTED].seen.embedding)


def test_a_source_that_lacks_a_class_is_left_out(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    few = replace(parts, validation=parts.validation[dataset.labels[parts.validation] > 0])
    assert list(found(dataset, few, network, embedder)) == [TRAINING, AUGMENTED]


def test_without_validation_images_nobody_judges(network: EmbeddingNetwork, embedder: Embedder) -> None:
    dataset = squares(6)
    made = found(dataset, split(dataset, 0), network, embedder)
    assert list(made) == [TRAINING, AUGMENTED]
    assert all(len(source.judged) == 0 for source in made.values())
