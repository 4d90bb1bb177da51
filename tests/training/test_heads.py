"""`training.heads`: which embeddings the head is fitted on, and who judges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.sessions import Embedder
from tests.training.squares import squares
from training.dataset import Dataset, Split, split
from training.heads import Candidate, Judge, embed, fit_candidates, fit_head
from training.network import EmbeddingNetwork
from training.recipe import PRESETS

RECIPE = PRESETS["quick"]
TRAINING, AUGMENTED, HELD_OUT = "training images", "training images, augmented", "held-out images"


def fitted(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> tuple[list[Candidate], Judge]:
    return fit_candidates(dataset, parts, network, embedder, recipe=RECIPE, seed=0)


@pytest.fixture(scope="module")
def candidates(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> tuple[list[Candidate], Judge]:
    return fitted(dataset, parts, network, embedder)


def test_every_source_is_tried_and_the_least_log_loss_comes_first(candidates: tuple[list[Candidate], Judge]) -> None:
    assert {candidate.name for candidate in candidates[0]} == {TRAINING, AUGMENTED, HELD_OUT}
    losses = [candidate.scores.log_loss for candidate in candidates[0]]
    assert losses == sorted(losses)


def test_the_best_head_tells_the_squares_apart(candidates: tuple[list[Candidate], Judge]) -> None:
    assert candidates[0][0].scores.accuracy == 1.0


def test_the_judging_images_are_validation_images_that_no_head_was_fitted_on(
    candidates: tuple[list[Candidate], Judge], dataset: Dataset, parts: Split, embedder: Embedder
) -> None:
    judging = parts.validation[1::2]
    np.testing.assert_array_equal(candidates[1].embedding, embedder(dataset.images[judging]))
    np.testing.assert_array_equal(candidates[1].labels, dataset.labels[judging])


def test_the_same_seed_gives_the_same_heads(
    candidates: tuple[list[Candidate], Judge],
    dataset: Dataset,
    parts: Split,
    network: EmbeddingNetwork,
    embedder: Embedder,
) -> None:
    again, _ = fitted(dataset, parts, network, embedder)
    assert [(c.name, c.scores) for c in again] == [(c.name, c.scores) for c in candidates[0]]


def test_a_source_that_lacks_a_class_is_left_out(
    dataset: Dataset, parts: Split, network: EmbeddingNetwork, embedder: Embedder
) -> None:
    few = replace(parts, validation=parts.validation[dataset.labels[parts.validation] > 0])
    sources = {candidate.name for candidate in fitted(dataset, few, network, embedder)[0]}
    assert sources == {TRAINING, AUGMENTED}


def test_without_validation_images_nothing_is_judged(network: EmbeddingNetwork, embedder: Embedder) -> None:
    dataset = squares(6)
    found, judge = fitted(dataset, split(dataset, 0), network, embedder)
    assert [candidate.name for candidate in found] == [TRAINING, AUGMENTED]
    assert np.isnan(found[0].scores.log_loss)
    assert judge.probabilities(found[0].head).shape == (0, 3)


@pytest.mark.parametrize("count", [0, 1, 499, 501])
def test_images_are_embedded_in_batches_and_in_order(embedder: Embedder, count: int) -> None:
    images = squares(501).images[:count]
    embedding = embed(embedder, images, "embedding")
    assert embedding.shape == (count, 64)
    assert embedding.dtype == np.float32
    if count:
        np.testing.assert_array_equal(embedding[-1], embedder(images[-1:])[0])


def test_even_two_images_a_class_are_told_apart(embedder: Embedder) -> None:
    few = squares(6)
    embedding = embedder(few.images)
    assert fit_head(embedding, few.labels, seed=0).predict(embedding).tolist() == few.labels.tolist()
