"""Trees whose splits are the same in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec
from models.runtime.sessions import cpu_session
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_graph import head_graph
from training.heads.kind import Size
from training.heads.registry import REGISTRY

TREES = ("decision_tree", "random_forest", "hist_gradient_boosting", "xgboost", "lightgbm")


def scaled(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """Whole numbers as an encoder makes features of them."""
    return ((numbers - 199.3) / 115.7).astype(np.float32)


def fitted(kind: str) -> Any:
    """Trees fitted on even numbers, so that odd ones lie just on their splits."""
    even = 2 * np.random.default_rng(0).integers(0, 200, (600, 3))
    maker = next(iter(REGISTRY[kind].makers("classification").values()))
    if REGISTRY[kind].module:
        pytest.importorskip(REGISTRY[kind].module)
    return maker(Size(600, 0)).fit(scaled(even), (even[:, 0] + even[:, 1] > 400).astype(np.int64))


@pytest.mark.parametrize("kind", TREES)
def test_a_graph_answers_as_its_trees_on_their_splits(kind: str) -> None:
    trees, asked = fitted(kind), scaled(np.random.default_rng(1).integers(0, 400, (5000, 3)))
    head = FittedHead(REGISTRY[kind], trees, present=np.arange(2), classes=2)
    spec = HeadSpec(name="x", kind=kind, classes=("small", "large"))
    session = cpu_session(head_graph(head, spec, 3).SerializeToString())
    (found,) = session.run(["probabilities"], {"embedding": asked})
    np.testing.assert_allclose(found, head(asked), atol=1e-5)
