"""dataset and embeddings ──▶ `LabelledEmbeddings`: what heads are fitted on and evaluated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.arrays import Floats
from training.data.dataset import Dataset
from training.data.images import Indices
from training.heads.features.column_rows import ColumnRows, Rows, joined
from training.reports.evaluation_metrics import balanced_weights


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings with their labels and columns.

    Attributes:
        embedding: float32 `[N, D]`.
        labels: class positions, int64 `[N]`, or numbers, float64 `[N]`.
        rows: values of the columns beside each image; empty if there are no columns.
        weights: of the rows in fits and losses, float64 `[N]`; None if all have the same.
    """

    embedding: Embedding
    labels: NDArray[Any]
    rows: Rows = ()
    weights: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", ColumnRows.of(self.rows))

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, positions: Indices) -> LabelledEmbeddings:
        """The rows at some positions."""
        rows = self.rows.part(positions) if isinstance(self.rows, ColumnRows) else self.rows
        weights = None if self.weights is None else self.weights[positions]
        return LabelledEmbeddings(self.embedding[positions], self.labels[positions], rows, weights)

    def row_weights(self, *, is_balanced: bool) -> Floats | None:
        """Weights of mean 1, `[N]`; with `is_balanced` times those that make all classes alike. None if all are 1."""
        if self.weights is None:
            return balanced_weights(self.labels) if is_balanced else None
        weights = self.weights * (balanced_weights(self.labels) if is_balanced else 1.0)
        return np.asarray(weights / weights.mean(), np.float64)

    def strata(self, classes: int) -> Indices:
        """Groups that a sample draws equal shares of, int64 `[N]`: the classes, or one group if labels are numbers."""
        return self.labels if classes else np.zeros(len(self), np.int64)

    def __add__(self, other: LabelledEmbeddings) -> LabelledEmbeddings:
        return LabelledEmbeddings(
            np.concatenate([self.embedding, other.embedding]),
            np.concatenate([self.labels, other.labels]),
            joined(self.rows, other.rows),
            _joined_weights(self, other),
        )


def embeddings_of(dataset: Dataset, embedding: Embedding, positions: Indices) -> LabelledEmbeddings:
    """The images at some positions; `embedding` is that of all images `[N, D]`."""
    weights = None if dataset.weights is None else dataset.weights[positions]
    return LabelledEmbeddings(embedding[positions], dataset.labels[positions], dataset.beside(positions), weights)


def _joined_weights(first: LabelledEmbeddings, second: LabelledEmbeddings) -> Floats | None:
    if first.weights is None and second.weights is None:
        return None
    return np.concatenate([np.ones(len(each)) if each.weights is None else each.weights for each in (first, second)])
