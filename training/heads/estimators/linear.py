"""features ──▶ logits or a number: weights and offsets, in Python and in a graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from training.arrays import Features, Floats
from training.export.graph_builder import GraphBuilder


@dataclass(frozen=True)
class Linear:
    """A linear model.

    The mean is subtracted first and not folded into the offset. If the mean of an embedding is many times its
    deviation, two large sums would cancel, and in float32 a probability would be off by 1e-5 (64 wide, mean .2,
    deviation .005) or 1e-2 (mean 1,000); with the mean subtracted first it is off by 1e-6.

    Attributes:
        weights: float32 `[F, K]`; K is 1 for numbers.
        offset: float32 `[K]`.
        mean: of the features, float32 `[F]`; None if it is 0.
    """

    weights: Features
    offset: Features
    mean: Features | None = None

    @classmethod
    def zero(cls, features: int) -> Linear:
        """A model that predicts 0."""
        return cls(np.zeros((features, 1), np.float32), np.zeros(1, np.float32))

    def __call__(self, features: Features) -> Features:
        """Logits, or numbers, float32 `[N, K]`, of features `[N, F]`."""
        centred = features if self.mean is None else features - self.mean
        return np.asarray(centred @ self.weights + self.offset, np.float32)

    def times(self, factor: float) -> Linear:
        """The same, multiplied."""
        return replace(self, weights=self.weights * np.float32(factor), offset=self.offset * np.float32(factor))

    def exact(self, features: Features) -> Features:
        """The same summed in float64: trees compare it with thresholds, and rounding must not decide the side."""
        return np.asarray(features.astype(np.float64) @ self._exact_weights + self._exact_offset, np.float32)

    def add(self, build: GraphBuilder, features: str) -> str:
        """Adds its nodes to a graph, and returns the name of their output."""
        centred = features if self.mean is None else build.node("Sub", features, build.constant(self.mean))
        return build.node("Gemm", centred, build.constant(self.weights), build.constant(self.offset))

    def add_exact(self, build: GraphBuilder, features: str) -> str:
        """Adds the nodes of `exact`, and returns the name of their output."""
        wide = build.node("Cast", features, to=TensorProto.DOUBLE)
        product = build.node("MatMul", wide, build.constant(self._exact_weights, np.float64))
        number = build.node("Add", product, build.constant(self._exact_offset, np.float64))
        return build.node("Cast", number, to=TensorProto.FLOAT)

    @property
    def _exact_weights(self) -> Floats:
        return self.weights.astype(np.float64)

    @property
    def _exact_offset(self) -> Floats:
        """With the mean folded in; float64 has enough digits for that."""
        offset = self.offset.astype(np.float64)
        return offset if self.mean is None else offset - self.mean.astype(np.float64) @ self._exact_weights
