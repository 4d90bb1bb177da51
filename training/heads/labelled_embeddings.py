"""dataset and embeddings ──▶ `LabelledEmbeddings`: what heads are fitted on and evaluated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.data.dataset import Dataset
from training.data.images import Indices
from training.heads.features.column_rows import ColumnRows, Rows, joined


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings with their labels and columns.

    Attributes:
        embedding: float32 `[N, D]`.
        labels: class positions, int64 `[N]`, or numbers, float64 `[N]`.
        rows: values of the columns beside each image; empty if there are no columns.
    """

    embedding: Embedding
    labels: NDArray[Any]
    rows: Rows = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", ColumnRows.of(self.rows))

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, positions: Indices) -> LabelledEmbeddings:
        """The rows at some positions."""
        rows = self.rows.part(positions) if isinstance(self.rows, ColumnRows) else self.rows
        return LabelledEmbeddings(self.embedding[positions], self.labels[positions], rows)

    def strata(self, classes: int) -> Indices:
        """Groups that a sample draws equal shares of, int64 `[N]`: the classes, or one group if labels are numbers."""
        return self.labels if classes else np.zeros(len(self), np.int64)

    def __add__(self, other: LabelledEmbeddings) -> LabelledEmbeddings:
        return LabelledEmbeddings(
            np.concatenate([self.embedding, other.embedding]),
            np.concatenate([self.labels, other.labels]),
            joined(self.rows, other.rows),
        )


def embeddings_of(dataset: Dataset, embedding: Embedding, positions: Indices) -> LabelledEmbeddings:
    """The images at some positions; `embedding` is that of all images `[N, D]`."""
    return LabelledEmbeddings(embedding[positions], dataset.labels[positions], dataset.beside(positions))
