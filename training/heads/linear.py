"""features ──▶ logits or a number: weights and offsets, in Python and in a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from training.builder import GraphBuilder

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """Weights.

    Attributes:
        weights: float32 `[F, K]`; K is 1 of numbers.
        offset: float32 `[K]`.
    """

    weights: Features
    offset: Features

    @classmethod
    def zero(cls, features: int) -> Linear:
        """Says 0 of everything."""
        return cls(np.zeros((features, 1), np.float32), np.zeros(1, np.float32))

    def __call__(self, features: Features) -> Features:
        """Logits, or numbers, float32 `[N, K]`, of features `[N, F]`."""
        return features @ self.weights + self.offset

    def exact(self, features: Features) -> Features:
        """The same summed in float64: trees compare it with thresholds, on whose side no rounding may decide."""
        wide = features.astype(np.float64) @ self.weights.astype(np.float64) + self.offset.astype(np.float64)
        return np.asarray(wide, np.float32)

    def add(self, build: GraphBuilder, features: str) -> str:
        """Adds the node that computes it to a graph; names its output."""
        return build.node("Gemm", features, build.constant(self.weights), build.constant(self.offset))

    def add_exact(self, build: GraphBuilder, features: str) -> str:
        """Adds the nodes that compute `exact`; names their output."""
        wide = build.node("Cast", features, to=TensorProto.DOUBLE)
        product = build.node("MatMul", wide, build.constant(self.weights, np.float64))
        return build.node(
            "Cast", build.node("Add", product, build.constant(self.offset, np.float64)), to=TensorProto.FLOAT
        )
