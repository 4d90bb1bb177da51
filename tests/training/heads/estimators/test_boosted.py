"""A linear margin and trees on it: the graph gives what scikit-learn and LightGBM give together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.heads.run_graphs import answer, graph_of, operators, run_nodes, softmax
from training.arrays import Features
from training.heads.calibration import Rescaling, Temperature
from training.heads.estimators.boosted import Boosted, TreeInputs
from training.heads.estimators.linear import Linear
from training.heads.estimators.tree_fitting import Sample, fit_trees
from training.heads.estimators.tree_settings import TreeSettings
from training.heads.features.views import fit_components
from training.heads.fitted_head import FittedHead
from training.heads.registry import REGISTRY

WIDTH, COLUMNS = 16, 4
WARM = Temperature(1.7, of_probabilities=False)
SEES = {"columns": (True, False), "components": (False, True), "columns and components": (True, True)}


def features_of(rows: int, *, seed: int) -> Features:
    """Of an embedding far from 0, and of columns that are whole numbers."""
    random = np.random.default_rng(seed)
    columns = random.integers(-2, 3, (rows, COLUMNS))
    return np.concatenate([random.normal(20, 0.005, (rows, WIDTH)), columns], axis=1, dtype=np.float32)


def labels_of(features: Features, classes: int) -> NDArray[np.int64]:
    """Which neither a linear model nor trees tell alone."""
    told = (features[:, 0] - 20) / 0.005 + features[:, WIDTH] * features[:, -1]
    return np.argsort(np.argsort(told)) * classes // len(told)


def margin_of(features: Features, classes: int) -> Linear:
    weights = np.random.default_rng(3).normal(0, 1, (features.shape[1], classes))
    weights[:WIDTH] *= 40  # about what a logistic regression has of features of such a deviation
    return Linear(weights.astype(np.float32), np.zeros(classes, np.float32), features.mean(0))


def boosted_of(classes: int, *, sees: str = "columns", rounds: int = 3) -> Boosted:
    has_columns, has_components = SEES[sees]
    features = features_of(max(600, 30 * classes), seed=0)
    width = WIDTH if has_columns else features.shape[1]
    inputs = TreeInputs(width, fit_components(features[:, :width]) if has_components else None)
    margin = margin_of(features, classes)
    sample = Sample(inputs(features), labels_of(features, classes), margin(features))
    return Boosted(margin, inputs, fit_trees(sample, TreeSettings(classes, seed=0), rounds) if rounds else None)


def head_of(boosted: Boosted, classes: int) -> FittedHead:
    return FittedHead(
        REGISTRY["boosted_linear"], boosted, calibration=WARM, present=np.arange(classes), classes=classes
    )


def raw(boosted: Boosted, features: Features) -> NDArray[np.float64]:
    """What LightGBM's booster says, which does not know of a margin."""
    assert boosted.trees is not None
    assert boosted.trees.booster is not None
    said = boosted.trees.booster.predict(boosted.inputs(features), raw_score=True)
    return np.asarray(said, np.float64).reshape(len(features), -1)


def logits(margin: Linear, features: Features) -> NDArray[np.float64]:
    """In float64."""
    assert margin.mean is not None
    return np.asarray((features.astype(np.float64) - margin.mean) @ margin.weights.astype(np.float64) + margin.offset)


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("classes", [2, 10, 14, 100])
def test_the_graph_says_what_margin_and_booster_say_together(classes: int, sees: str) -> None:
    boosted, fresh = boosted_of(classes, sees=sees), features_of(10_000, seed=1)
    margin, trees = logits(boosted.margin or Linear.zero(0), fresh), raw(boosted, fresh)
    found = answer(head_of(boosted, classes), fresh)
    expected = softmax((margin + trees) / WARM.temperature)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for lost in (softmax(trees / WARM.temperature), softmax(margin / WARM.temperature)):
        assert np.abs(lost - expected).max() > 1e-3, "which the comparison would see"
    np.testing.assert_allclose(found, head_of(boosted, classes)(fresh), atol=1e-5)


def test_trees_start_from_the_margin() -> None:
    """Grown on a margin that tells all, they have nothing to add."""
    features = features_of(600, seed=0)
    labels = labels_of(features, 3)
    sure = np.where(labels[:, None] == np.arange(3), 20, -20).astype(np.float32)
    said = [
        fit_trees(Sample(features, labels, margins), TreeSettings(3, seed=0), 3)(features)
        for margins in (sure, np.zeros_like(sure))
    ]
    assert np.abs(said[0]).max() < 1e-6 < 0.01 < np.abs(said[1]).max()


@pytest.mark.parametrize("classes", [2, 100])
def test_a_graph_without_trees_has_no_node_for_them(classes: int) -> None:
    head, fresh = head_of(boosted_of(classes, rounds=0), classes), features_of(10_000, seed=1)
    graph, _ = graph_of(head, fresh.shape[1])
    assert operators(graph) == ["Identity", "Sub", "Gemm", "Softmax", "ArgMax"]
    expected = softmax(logits(head.estimator.margin, fresh) / WARM.temperature)
    np.testing.assert_allclose(answer(head, fresh), expected, atol=1e-5)


def test_a_graph_with_trees_has_two_nodes_more() -> None:
    graph, _ = graph_of(head_of(boosted_of(3), 3), WIDTH + COLUMNS)
    assert operators(graph) == ["Identity", "Sub", "Gemm", "TreeEnsembleRegressor", "Add", "Softmax", "ArgMax"]


@pytest.mark.parametrize("sees", SEES)
def test_a_graph_has_no_constant_that_nothing_uses(sees: str) -> None:
    graph, _ = graph_of(head_of(boosted_of(3, sees=sees), 3), WIDTH + COLUMNS)
    used = {name for node in graph.graph.node for name in node.input}
    assert {constant.name for constant in graph.graph.initializer} <= used


@pytest.mark.parametrize("is_log", [False, True], ids=["a number", "a number told by its logarithm"])
def test_trees_see_the_number_of_a_linear_model(is_log: bool) -> None:
    features, fresh = features_of(600, seed=0), features_of(10_000, seed=1)
    linear = margin_of(features, 1)
    inputs = TreeInputs(WIDTH, fit_components(features[:, :WIDTH]), linear)
    targets = linear(features)[:, 0] / 10 + features[:, -1]
    sample = Sample(inputs(features), targets, np.zeros((600, 1), np.float32))
    boosted = Boosted(None, inputs, fit_trees(sample, TreeSettings(0, seed=0), 40))
    rescaling = Rescaling(3.0, 0.5, is_log)
    found = answer(FittedHead(REGISTRY["boosted_linear"], boosted, calibration=rescaling), fresh)
    expected = raw(boosted, fresh) * 0.5 + 3
    np.testing.assert_allclose(found, np.exp(expected) if is_log else expected, rtol=1e-5)
    assert found.std() > 0.1


def test_what_trees_see_of_a_linear_model_is_the_same_number() -> None:
    features = features_of(10_000, seed=1)
    linear = margin_of(features, 1)
    np.testing.assert_array_equal(run_nodes(linear.add_exact, features), linear.exact(features))
    np.testing.assert_allclose(linear.exact(features), logits(linear, features), atol=1e-5)


def test_a_margin_multiplied_is_the_whole_multiplied() -> None:
    boosted, features = boosted_of(3), features_of(100, seed=1)
    expected = boosted.decision_function(features) / 2
    np.testing.assert_allclose(boosted.times(0.5).decision_function(features), expected, rtol=1e-5, atol=1e-6)
    alone = replace(boosted, margin=None)
    np.testing.assert_allclose(alone.times(2.0).decision_function(features), 2 * raw(boosted, features), atol=1e-6)
