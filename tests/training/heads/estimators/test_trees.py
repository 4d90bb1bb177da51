"""Boosted trees in a graph are those of LightGBM, on every side of every threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.heads.run_graphs import run_nodes
from training.arrays import Features
from training.export.graph_builder import GraphBuilder
from training.heads.estimators.tree_fitting import Sample, fit_trees
from training.heads.estimators.tree_settings import TreeSettings
from training.heads.estimators.trees import Trees

TINY = 1e-35
"""LightGBM's least number: what is smaller counts as 0 when it looks for a threshold."""


def grown(inputs: Features, labels: NDArray[np.int64], rounds: int = 5) -> Trees:
    """Trees on a margin of 0."""
    classes = int(labels.max()) + 1
    sample = Sample(inputs, labels, np.zeros((len(labels), classes), np.float32))
    return fit_trees(sample, TreeSettings(classes, seed=0), rounds)


def assert_same(trees: Trees, asked: Features, first: int = 0) -> None:
    """Graph and booster give the same, but for the last digits of sums."""
    assert trees.booster is not None
    before = np.full((len(asked), first), 7, np.float32)
    found = run_nodes(lambda build, name: trees.add(build, name, first), np.concatenate([before, asked], axis=1))
    expected = np.asarray(trees.booster.predict(asked, raw_score=True))
    np.testing.assert_allclose(found, trees.factor * expected, atol=1e-6)


def whole_numbers(rows: int, *, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 40, (rows, 3))


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_whole_numbers_go_the_same_way_on_a_threshold_between_them(classes: int) -> None:
    even = 2 * whole_numbers(50 * classes)
    trees = grown(even.astype(np.float32), even.sum(1) * classes // 240)
    assert_same(trees, whole_numbers(10_000, seed=1).astype(np.float32) * 2 - 1)


@pytest.mark.parametrize("values", [(-1.0, 0.0, 1.0), (0.0, TINY, 1.0), (-1.0, -TINY, TINY), (-0.0, 2 * TINY, 1.0)])
def test_numbers_about_zero_go_the_same_way(values: tuple[float, ...]) -> None:
    inputs = np.repeat(np.array(values, np.float32), 100)[:, None]
    edge = np.float32(TINY)
    beside = np.nextafter(np.array([edge, edge, -edge, -edge]), np.array([0, 1, 0, -1], np.float32))
    near = [0.0, -0.0, edge, -edge, *beside, *values]
    assert_same(grown(inputs, np.repeat([0, 1, 0], 100)), np.array(near, np.float32)[:, None])


def test_a_feature_that_follows_others_is_found() -> None:
    numbers = whole_numbers(400)
    assert_same(grown(numbers.astype(np.float32), numbers.sum(1) // 60), numbers.astype(np.float32), first=64)


def test_a_factor_multiplies_what_trees_say() -> None:
    numbers = whole_numbers(400)
    trees = grown(numbers.astype(np.float32), numbers.sum(1) // 60)
    inputs = numbers.astype(np.float32)
    np.testing.assert_allclose(trees.times(2.0).times(0.25)(inputs), trees(inputs) / 2, rtol=1e-6)
    assert_same(trees.times(0.5), inputs)


@pytest.mark.parametrize("rounds", [0, 2])
def test_rounds_that_do_not_count_say_nothing(rounds: int) -> None:
    numbers = whole_numbers(400)
    inputs, labels = numbers.astype(np.float32), numbers.sum(1) // 60
    fewer = replace(grown(inputs, labels, rounds=5), rounds=rounds)
    np.testing.assert_array_equal(fewer(inputs), grown(inputs, labels, rounds)(inputs))


def test_trees_that_split_nothing_say_zero() -> None:
    inputs = np.ones((90, 2), np.float32)
    trees = grown(inputs, np.arange(90) % 3)
    assert_same(trees, inputs)
    np.testing.assert_array_equal(trees(inputs), 0)


def test_trees_of_a_single_leaf_are_left_out() -> None:
    """The last class has too few rows for a leaf of its own."""
    numbers = whole_numbers(400)
    labels = (numbers[:, 0] > 20).astype(np.int64)
    labels[0] = 2
    trees, build = grown(numbers.astype(np.float32), labels), GraphBuilder("")
    trees.add(build, "features", 0)
    [targets] = [each.ints for each in build.nodes[0].attribute if each.name == "target_ids"]
    assert set(targets) < {0, 1, 2}
    assert_same(trees, numbers.astype(np.float32))
