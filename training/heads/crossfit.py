"""`Source` ──▶ `CrossFit`: one head fitted without each fold, which gives out-of-fold predictions for every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.arrays import Features
from training.data.images import Indices
from training.heads.fitted_head import FittedHead
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.sources import Source

Fit = Callable[..., FittedHead]
"""Fits a head to labelled embeddings. Given a fitted head as well, it may start from that."""


@dataclass(frozen=True)
class CrossFit:
    """Heads, each fitted without one fold.

    Attributes:
        heads: by fold, ascending.
        folds: the fold of each held-out row, int64 `[J]`.
        width: columns of their output: K classes, or 1.
    """

    heads: Mapping[int, FittedHead]
    folds: Indices
    width: int

    def __call__(
        self, held_out: LabelledEmbeddings, predict: Callable[[FittedHead, LabelledEmbeddings], Features]
    ) -> Features:
        """Predicts each held-out row with the head that was fitted without its fold, float32 `[J, K]`."""
        outputs = np.empty((len(held_out), self.width), np.float32)
        for fold, head in self.heads.items():
            positions = np.flatnonzero(self.folds == fold)
            outputs[positions] = predict(head, held_out.part(positions))
        return outputs

    def without(self, fold: int) -> FittedHead:
        """The head fitted without a fold. If there is only one head, it was fitted on no held-out row at all."""
        return self.heads[fold] if len(self.heads) > 1 else next(iter(self.heads.values()))

    def part(self, positions: Indices) -> CrossFit:
        """The same for some of the held-out rows."""
        folds = self.folds[positions]
        return replace(self, heads={fold: self.heads[fold] for fold in np.unique(folds).tolist()}, folds=folds)

    def knows(self, labels: Indices) -> NDArray[np.bool_]:
        """Whether the head without a row's fold was fitted on any row of the row's class, `[J]`."""
        known = np.ones(len(labels), bool)
        for fold, head in self.heads.items():
            inside = self.folds == fold
            known[inside] = np.isin(labels[inside], head.present)
        return known


def cross_fit(fit: Fit, source: Source, width: int, starts: Mapping[int, FittedHead]) -> CrossFit:
    """Fits one head for each fold, on all rows except the fold's; `starts` holds fitted heads to start from."""
    heads = {fold: fit(source.without(fold), starts.get(fold)) for fold in np.unique(source.folds).tolist()}
    return CrossFit(heads, source.folds, width)
