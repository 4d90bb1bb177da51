"""embeddings of photos ──▶ how those of an instance are pooled: the simplest way that no other clearly beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.pooling import PoolKind, pool_each
from models.runtime.sessions import Embedding
from training.data.dataset import Dataset
from training.data.images import Indices
from training.heads.head_fit import Fitting, sample_rows
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.heads.sources import make_sources
from training.instances.instance_photos import Photos
from training.reports.html_page import figures

OPTIONS: tuple[tuple[PoolKind, ...], ...] = (("mean",), ("mean", "max"), ("mean", "max", "change"))
"""From the simplest on."""
MOST_ROWS = 2000
"""Instances that the options are compared on, at most. For 2,000 with embeddings of 1,280 numbers it takes 85 s on a
core of a busy machine."""


@dataclass(frozen=True)
class PoolingChoice:
    """How the photos of an instance are pooled.

    Attributes:
        pooling: the chosen way.
        sentence: what it was chosen by.
    """

    pooling: tuple[PoolKind, ...]
    sentence: str


def choose_pooling(dataset: Dataset, embedding: Embedding, known: Indices, *, seed: int) -> PoolingChoice:
    """Compares the options by out-of-fold losses of a linear head on the embedding alone.

    Args:
        dataset: N instances with their photos, labels and groups.
        embedding: of all photos, float32 `[M, D]`.
        known: positions of the instances that are no test images.
        seed: of the folds, and of the choice of instances if they are many.

    Raises:
        DataError: all instances are of one group, so there are no folds.
    """
    assert dataset.photos is not None
    rows = known[np.sort(sample_rows(dataset.strata[known], MOST_ROWS, seed))]
    tried = {kinds: _tried(dataset, dataset.photos, embedding, rows, kinds, seed=seed) for kinds in OPTIONS}
    chosen = OPTIONS[0]
    for kinds in OPTIONS[1:]:
        if tried[kinds].clearly_beats(tried[chosen]):
            chosen = kinds
    return PoolingChoice(chosen, _sentence(chosen, tried, len(rows)))


def _tried(
    dataset: Dataset, photos: Photos, embedding: Embedding, rows: Indices, kinds: tuple[PoolKind, ...], *, seed: int
) -> Candidate:
    """A linear head on instances that are pooled so, cross-validated."""
    pooled = pool_each(embedding[photos.positions(rows)], photos.counts[rows].tolist(), kinds)
    of_rows = replace(
        dataset,
        labels=dataset.labels[rows],
        groups=dataset.unit[rows],
        columns=(),
        rows=(),
        weights=None,
        photos=None,
    )
    (source,) = make_sources(of_rows, pooled, np.arange(len(rows)), {}, seed=seed).values()
    kind = REGISTRY["logistic_regression" if dataset.classes else "linear_regression"]
    return fit_heads([kind], source, Fitting(len(dataset.classes), (), seed))[0]


def _sentence(chosen: tuple[PoolKind, ...], tried: Mapping[tuple[PoolKind, ...], Candidate], rows: int) -> str:
    losses = ", ".join(f"{figures(each.loss)} by {_named(kinds)}" for kinds, each in tried.items())
    criterion = tried[chosen].criterion
    return (
        f"the photos of a row are pooled by {_named(chosen)}: out-of-fold {criterion} of a linear head on {rows:,} "
        f"rows is {losses}; a simpler way is preferred unless another is clearly better"
    )


def _named(kinds: tuple[PoolKind, ...]) -> str:
    return " and ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)
