"""A fitted linear head's weights on features as they are say what scikit-learn says of scaled ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from tests.training.heads.run_graphs import run_nodes, softmax
from training.heads.estimators.folding import linear_of
from training.heads.fitted_head import UNKNOWN, FittedHead
from training.heads.head_fit import Fitting, HeadFit
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import EACH_STANDARDISED, ONE_SCALE, REGISTRY

WIDTH = 64


def embedding_of(labels: NDArray[np.int64], *, mean: float, seed: int) -> Embedding:
    """Deviations about .005 around a mean, as EfficientNet-Lite0 gives them around .2."""
    centres = np.random.default_rng(9).normal(0, 1, (int(labels.max()) + 1, WIDTH))
    random = np.random.default_rng(seed)
    deviations = 0.005 * np.exp(np.random.default_rng(8).normal(0, 1, WIDTH))
    return (mean + deviations * (centres[labels] / 2 + random.normal(0, 1, (len(labels), WIDTH)))).astype(np.float32)


def head_of(labels: NDArray[np.int64], *, mean: float = 0.2, scaling: str = "one") -> FittedHead:
    kind = REGISTRY["logistic_regression"]
    preparation = {"one": ONE_SCALE, "each": EACH_STANDARDISED}[scaling]
    fit = HeadFit(kind, kind.settings["C = 1"], preparation, Fitting(classes=int(labels.max()) + 1))
    return fit(LabelledEmbeddings(embedding_of(labels, mean=mean, seed=0), labels))


def library(head: FittedHead, embedding: Embedding) -> NDArray[np.float64]:
    """What scikit-learn's weights say of scaled features, in float64; of two classes the second's logit."""
    assert head.scaling is not None
    scaled = (embedding.astype(np.float64) - head.scaling.mean) * head.scaling.factor.astype(np.float64)
    return np.asarray(scaled @ head.estimator.coef_.T.astype(np.float64) + head.estimator.intercept_)


@pytest.mark.parametrize("scaling", ["one", "each"])
@pytest.mark.parametrize("mean", [0.0, 0.2, 20.0, 1000.0])
def test_probabilities_agree_however_far_the_mean_is_from_zero(mean: float, scaling: str) -> None:
    head, labels = head_of(np.arange(600) % 10, mean=mean, scaling=scaling), np.arange(10_000) % 10
    fresh = embedding_of(labels, mean=mean, seed=1)
    found = run_nodes(linear_of(head).add, fresh)
    expected = softmax(library(head, fresh))
    assert (expected.argmax(1) == labels).mean() > 0.5
    np.testing.assert_allclose(softmax(found.astype(np.float64)), expected, atol=1e-5)
    np.testing.assert_allclose(linear_of(head)(fresh), found, atol=2e-4)


def test_the_one_logit_of_two_classes_is_split() -> None:
    head = head_of(np.arange(200) % 2)
    fresh = embedding_of(np.arange(100) % 2, mean=0.2, seed=1)
    found = linear_of(head)(fresh)
    np.testing.assert_allclose(found[:, :1], -found[:, 1:])
    np.testing.assert_allclose(found[:, 1:] - found[:, :1], library(head, fresh), atol=1e-4)


def test_a_class_that_was_missing_is_the_least_likely() -> None:
    head = head_of(np.array([0, 2, 3] * 100))
    fresh = embedding_of(np.array([0, 2, 3] * 10), mean=0.2, seed=1)
    found = linear_of(head)(fresh)
    np.testing.assert_allclose(found[:, [0, 2, 3]], library(head, fresh), atol=1e-4)
    np.testing.assert_allclose(found[:, 1], head.estimator.intercept_.min() - UNKNOWN, rtol=1e-6)


def test_of_one_class_alone_nothing_is_told_but_the_class() -> None:
    labels = np.full(20, 1)
    linear = linear_of(replace(head_of(labels), classes=3))
    found = softmax(linear(embedding_of(labels, mean=0.2, seed=1)).astype(np.float64))
    assert found[:, 1].min() > 0.9999


def test_the_weights_of_a_ridge_give_its_number() -> None:
    kind, embedding = REGISTRY["linear_regression"], embedding_of(np.arange(600) % 10, mean=20.0, seed=0)
    fit = HeadFit(kind, kind.regressors["alpha = 1"], ONE_SCALE, Fitting())
    head = fit(LabelledEmbeddings(embedding, (embedding[:, 0] - 20.0) * 1000.0))
    linear = linear_of(head)
    for found in (linear(embedding), linear.exact(embedding), run_nodes(linear.add, embedding)):
        np.testing.assert_allclose(found[:, 0], library(head, embedding).reshape(-1), atol=1e-5)
