"""What a head looks at of an embedding is the same in its graph."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from models.runtime.sessions import Embedding
from tests.training.heads.run_graphs import run_nodes
from training.export.graph_builder import GraphBuilder
from training.heads.features.views import COMPONENTS, ViewName, can_root, fit_components, fit_view


def embedding_of(rows: int, width: int = 64, *, seed: int = 0) -> Embedding:
    """Means of activations: never negative, of many sizes, some 0."""
    random = np.random.default_rng(seed)
    sizes = np.exp(np.random.default_rng(9).normal(-4, 2, width))
    return np.maximum(sizes * random.normal(1, 1, (rows, width)), 0).astype(np.float32)


@pytest.mark.parametrize("width", [64, 1280])
@pytest.mark.parametrize("name", [name for name in get_args(ViewName) if name != "nothing"])
def test_a_view_is_the_same_in_the_graph(name: ViewName, width: int) -> None:
    view, fresh = fit_view(name, embedding_of(400, width)), embedding_of(2000, width, seed=1)
    fresh[0] = 0
    expected = view(fresh)
    assert expected.shape == (2000, view.width(width))
    # The identity stands for a head: an embedding that nothing computes is no output of a graph.
    found = run_nodes(lambda build, features: build.node("Identity", view.add(build, features)), fresh)
    np.testing.assert_allclose(found, expected, rtol=1.2e-7)


def test_components_are_the_same_to_the_last_digit() -> None:
    """A threshold of a tree may lie between two numbers that differ in it."""
    components, fresh = fit_components(embedding_of(400)), embedding_of(2000, seed=1)
    np.testing.assert_array_equal(run_nodes(components.add, fresh), components(fresh))


@pytest.mark.parametrize(("rows", "width", "count"), [(400, 64, COMPONENTS), (90, 64, 9), (5, 64, 1), (400, 8, 8)])
def test_few_rows_or_a_narrow_embedding_have_few_components(rows: int, width: int, count: int) -> None:
    components = fit_components(embedding_of(rows, width))
    found = components(embedding_of(rows, width))
    assert found.shape == (rows, components.width(width)) == (rows, count)
    assert (np.diff(found.var(0)) <= 1e-9).all(), "the first has most of the variance"


@pytest.mark.parametrize(("rows", "width"), [(1, 64), (0, 64), (10, 0)])
def test_where_nothing_varies_there_are_no_components(rows: int, width: int) -> None:
    assert fit_components(np.ones((rows, width), np.float32)).width(width) == 0


def test_nothing_of_an_embedding_is_no_node() -> None:
    view, build = fit_view("nothing", embedding_of(10)), GraphBuilder("")
    assert view(embedding_of(10)).shape == (10, view.width(64)) == (10, 0)
    assert view.add(build, "embedding") == ""
    assert not build.nodes


def test_a_direction_has_length_one() -> None:
    lengths = np.linalg.norm(fit_view("direction", embedding_of(2))(embedding_of(100)), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


@pytest.mark.parametrize(("values", "can"), [([[0.0, 1.0]], True), ([[-0.1, 1.0]], False), ([[0.0, 0.0]], False)])
def test_only_what_is_never_negative_has_roots(values: list[list[float]], can: bool) -> None:
    assert can_root(np.array(values, np.float32)) is can
