"""embedding and encoded columns ──▶ features on one scale, for penalties and distances.

A penalty treats all features alike. An embedding is therefore centred and divided by one number, so that the mean
square of its elements is 1 and their relative sizes stay. Dividing each by its own deviation would raise noise to the
size of signal (in EfficientNet-Lite0 the median deviation of a dimension is a fraction of the largest). A few columns
beside a thousand elements would hardly count; they are multiplied by a weight that out-of-fold predictions choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.arrays import Features
from training.export.graph_builder import GraphBuilder
from training.heads.features.views import ViewName

ScalingName = Literal["none", "one", "each"]
WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class Preparation:
    """How features are made from embedding and columns: hyperparameters.

    Attributes:
        view: what is seen of the embedding.
        scaling: `one`: the view is centred and divided by one number; `each`: each element by its own deviation.
        weight: encoded columns are multiplied by it.
        expands: whether hinges and products of numeric columns are added.
    """

    view: ViewName = "whole"
    scaling: ScalingName = "none"
    weight: float = 1.0
    expands: bool = False

    @property
    def title(self) -> str:
        """What is unusual about it, as people read it; empty if nothing is."""
        view = {"whole": "", "roots": "of roots", "direction": "", "components": "", "nothing": ""}
        parts = (
            view[self.view],
            "each element standardised" if self.scaling == "each" else "",
            f"columns x {self.weight:g}" if self.weight != 1 else "",
            "hinges and products" if self.expands else "",
        )
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Scaling:
    """Features less a mean, times a factor.

    Attributes:
        mean: float32 `[F]`.
        factor: float32 `[F]`.
        size: of the scaled features relative to the embedding, float32 `[F]`: 1, or the weight of the columns.
    """

    mean: Features
    factor: Features
    size: Features

    def __call__(self, features: Features) -> Features:
        """Scaled, float32 `[N, F]`."""
        return (features - self.mean) * self.factor

    def add(self, build: GraphBuilder, features: str, output: str) -> str:
        """Adds its nodes to a graph, and returns the name of their output."""
        centred = build.node("Sub", features, build.constant(self.mean))
        return build.node("Mul", centred, build.constant(self.factor), output=output)


def fit_scaling(preparation: Preparation, features: Features, width: int) -> Scaling | None:
    """Fits a scaling; returns None if features stay as they are.

    Args:
        preparation: how.
        features: of training rows, `[N, F]`.
        width: how many of them come from the embedding; columns follow, of deviation 1 or one-hot encoded.
    """
    if preparation.scaling == "none" and preparation.weight == 1:
        return None
    mean, size = np.zeros(features.shape[1]), np.full(features.shape[1], preparation.weight)
    size[:width] = 1.0
    factor = size.copy()
    if preparation.scaling != "none" and width:
        view = features[:, :width].astype(np.float64)
        mean[:width] = view.mean(0)
        squares = view.var(0)
        squares = squares if preparation.scaling == "each" else np.full(width, squares.mean())
        factor[:width] = 1 / np.sqrt(np.where(squares > 0, squares, 1.0))
    return Scaling(*(array.astype(np.float32) for array in (mean, factor, size)))
