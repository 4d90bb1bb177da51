"""`training.network.head_sources`: which embeddings the head is fitted on, and who judges."""

from __future__ import annotations

import numpy as np
import pytest

from models.runtime.sessions import Embedder
from training.data.dataset import Dataset
from training.data.split import Split
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.network.head_sources import seen_sources
from training.network.network import EmbeddingNetwork
from training.network.presets import PRESETS

TRAINING, AUGMENTED = "training images", "augmented training images"


def found(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> dict[str, LabelledEmbeddings]:
    embedding = embedder(np.asarray(dataset.images))
    return seen_sources(dataset, parts, embedding, network, embedder, recipe=PRESETS["quick"], seed=0)


@pytest.fixture(scope="module")
def made(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> dict[str, LabelledEmbeddings]:
    return found(dataset, parts, network, embedder)


def test_training_images_are_seen_as_they_are_and_varied(
    made: dict[str, LabelledEmbeddings], dataset: Dataset, parts: Split, embedder: Embedder
) -> None:
    assert list(made) == [TRAINING, AUGMENTED]
    np.testing.assert_allclose(made[TRAINING].embedding, embedder(dataset.images[parts.train]), rtol=1e-5)
    np.testing.assert_array_equal(made[AUGMENTED].labels, dataset.labels[parts.train])
    assert not np.array_equal(made[AUGMENTED].embedding, made[TRAINING].embedding)


def test_the_same_seed_gives_the_same_variants(
    made: dict[str, LabelledEmbeddings], dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    again = found(dataset, parts, network, embedder)
    np.testing.assert_array_equal(again[AUGMENTED].embedding, made[AUGMENTED].embedding)
