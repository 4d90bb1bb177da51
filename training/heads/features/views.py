"""embedding ──▶ what a head sees of it: all, its square roots, its direction, its leading components, or nothing.

Each view computes the same in Python and, by `add`, in the head's graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.decomposition import PCA

from models.runtime.sessions import Embedding
from training.arrays import Features
from training.export.graph_builder import GraphBuilder

ViewName = Literal["whole", "roots", "direction", "components", "nothing"]

COMPONENTS = 30
"""The most components that trees see: 30 were best on tables with photos (mean absolute error of food
energy 18.3, on the whole embedding over 21)."""
_ROWS_A_COMPONENT = 10
_ROOT_OFFSET = 0.01  # of the mean
_LEAST_LENGTH = 1e-12


class View(Protocol):
    """What a head sees of an embedding `[N, D]`, float32 `[N, V]`."""

    def __call__(self, embedding: Embedding) -> Features:
        """Computes it."""

    def width(self, of: int) -> int:
        """V for embeddings of width `of`."""

    def add(self, build: GraphBuilder, embedding: str) -> str:
        """Adds its nodes to a graph, and returns the name of their output."""


@dataclass(frozen=True)
class Whole:
    """The whole embedding."""

    def __call__(self, embedding: Embedding) -> Features:
        """Returns it."""
        return embedding

    def width(self, of: int) -> int:
        """That of the embedding."""
        return of

    def add(self, build: GraphBuilder, embedding: str) -> str:  # noqa: ARG002
        """Adds nothing."""
        return embedding


@dataclass(frozen=True)
class Roots(Whole):
    """Square roots, for embeddings that are never negative.

    Such embeddings are means of activations, whose spread grows with their size. The offset keeps the slope of the root
    finite at 0, so that the rounding of a precision does not outweigh the image.
    """

    offset: float

    def __call__(self, embedding: Embedding) -> Features:
        """Negative numbers count as 0."""
        return np.sqrt(np.maximum(embedding, np.float32(0)) + np.float32(self.offset))

    def add(self, build: GraphBuilder, embedding: str) -> str:
        """Adds three nodes."""
        positive = build.node("Max", embedding, build.constant(0.0))
        return build.node("Sqrt", build.node("Add", positive, build.constant(self.offset)))


@dataclass(frozen=True)
class Direction(Whole):
    """Embeddings divided by their lengths, so that distances compare angles.

    Lengths are summed in float64: over 1,280 squares float32 is off by 1e-6, which is much beside the deviation.
    """

    def __call__(self, embedding: Embedding) -> Features:
        """Of length 1, or 0."""
        wide = embedding.astype(np.float64)
        lengths = np.sqrt(np.square(wide).sum(1, keepdims=True))
        return np.asarray(wide / np.maximum(lengths, _LEAST_LENGTH), np.float32)

    def add(self, build: GraphBuilder, embedding: str) -> str:
        """Adds five nodes."""
        wide = build.node("Cast", embedding, to=TensorProto.DOUBLE)
        lengths = build.node("ReduceL2", wide, build.constant([1], np.int64), keepdims=1)
        least = build.node("Max", lengths, build.constant(_LEAST_LENGTH, np.float64))
        return build.node("Cast", build.node("Div", wide, least), to=TensorProto.FLOAT)


@dataclass(frozen=True)
class Components:
    """Leading principal components, summed in float64.

    Trees compare them with thresholds: float32 sums in Python and in a graph could differ in the last digit, and split.

    Attributes:
        mean: of the embedding, float64 `[D]`.
        directions: float64 `[D, P]`.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]

    def __call__(self, embedding: Embedding) -> Features:
        """The first component comes first."""
        return np.asarray(embedding.astype(np.float64) @ self.directions - self.mean @ self.directions, np.float32)

    def width(self, of: int) -> int:  # noqa: ARG002
        """How many there are."""
        return int(self.directions.shape[1])

    def add(self, build: GraphBuilder, embedding: str) -> str:
        """Adds four nodes."""
        wide = build.node("Cast", embedding, to=TensorProto.DOUBLE)
        product = build.node("MatMul", wide, build.constant(self.directions, np.float64))
        centred = build.node("Sub", product, build.constant(self.mean @ self.directions, np.float64))
        return build.node("Cast", centred, to=TensorProto.FLOAT)


@dataclass(frozen=True)
class Nothing:
    """No part of the embedding: the columns alone decide."""

    def __call__(self, embedding: Embedding) -> Features:
        """Of no width."""
        return embedding[:, :0]

    def width(self, of: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def add(self, build: GraphBuilder, embedding: str) -> str:  # noqa: ARG002
        """Adds nothing; there is no output."""
        return ""


def can_root(embedding: Embedding) -> bool:
    """Whether square roots of an embedding `[N, D]` make sense: no number is negative, and not all are 0."""
    return embedding.size > 0 and float(embedding.min()) >= 0 and float(embedding.max()) > 0


def fit_view(name: ViewName, embedding: Embedding) -> View:
    """Fits a view to training embeddings `[N, D]`."""
    if name == "roots":
        return Roots(_ROOT_OFFSET * float(embedding.mean()))
    if name == "components":
        return fit_components(embedding)
    views: dict[ViewName, View] = {"whole": Whole(), "direction": Direction(), "nothing": Nothing()}
    return views[name]


def fit_components(embedding: Embedding) -> Components:
    """Fits leading components to training embeddings `[N, D]`; few rows give few components."""
    rows, width = embedding.shape
    count = min(COMPONENTS, width, max(1, rows // _ROWS_A_COMPONENT))
    if not width or rows < 2:
        return Components(np.zeros(width), np.zeros((width, 0)))
    fitted = PCA(count, svd_solver="covariance_eigh").fit(embedding.astype(np.float64))
    return Components(fitted.mean_, fitted.components_.T)
