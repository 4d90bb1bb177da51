"""features ──▶ a linear model and boosted trees on top of it: their sum, in Python and in a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.arrays import Features
from training.export.graph_builder import GraphBuilder
from training.heads.estimators.linear import Linear
from training.heads.estimators.trees import Trees
from training.heads.features.views import View


@dataclass(frozen=True)
class TreeInputs:
    """What trees see.

    Attributes:
        width: of the view, which features begin with; encoded columns follow.
        seen: the part of the view that trees see; None if they see none of it.
        linear: the model whose number they see; None if they see none.
    """

    width: int = 0
    seen: View | None = None
    linear: Linear | None = None

    def __call__(self, features: Features, number: Features | None = None) -> Features:
        """Inputs float32 `[N, P]` of features `[N, F]`; `number`, `[N, 1]`, replaces the linear model's."""
        parts = [features[:, self.width :]]
        if self.seen is not None:
            parts.append(self.seen(features[:, : self.width]))
        if self.linear is not None:
            parts.append(self.linear.exact(features) if number is None else number)
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def add(self, build: GraphBuilder, features: str) -> str:
        """Adds its nodes to a graph, and returns the name of their output, in which the inputs follow the view."""
        parts = [features]
        if self.seen is not None:
            zero, width, axis = (build.constant([at], np.int64) for at in (0, self.width, 1))
            parts.append(self.seen.add(build, build.node("Slice", features, zero, width, axis)))
        if self.linear is not None:
            parts.append(self.linear.add_exact(build, features))
        return build.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Boosted:
    """A sum of a linear model and trees, on the encoder's features.

    Attributes:
        margin: the linear model whose scores trees correct; None if they start from 0.
        inputs: what trees see.
        trees: None if none are worth it; then there is a margin.
    """

    margin: Linear | None = None
    inputs: TreeInputs = TreeInputs()
    trees: Trees | None = field(default=None, repr=False)

    def fit(self, features: Features, targets: NDArray[Any]) -> Boosted:  # noqa: ARG002
        """Returns a model that predicts 0: `boosting` fits the trees, for all folds at once."""
        return Boosted(Linear.zero(features.shape[1]))

    def decision_function(self, features: Features) -> Features:
        """Scores float32 `[N, K]` of features `[N, F]`."""
        parts = [] if self.margin is None else [self.margin(features)]
        if self.trees is not None:
            parts.append(self.trees(self.inputs(features)))
        return sum(parts[1:], parts[0])

    def predict(self, features: Features) -> Features:
        """Numbers float32 `[N]`."""
        return self.decision_function(features)[:, 0]

    def times(self, factor: float) -> Boosted:
        """The same, multiplied."""
        margin = None if self.margin is None else self.margin.times(factor)
        return replace(self, margin=margin, trees=None if self.trees is None else self.trees.times(factor))

    def add(self, build: GraphBuilder, features: str) -> str:
        """Adds the nodes that compute scores `[N, K]` to a graph, and returns the name of their output."""
        parts = [] if self.margin is None else [self.margin.add(build, features)]
        if self.trees is not None:
            parts.append(self.trees.add(build, self.inputs.add(build, features), self.inputs.width))
        return build.node("Add", *parts) if len(parts) > 1 else parts[0]
