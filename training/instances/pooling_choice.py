"""embeddings of photos ──▶ how those of an instance are pooled: the simplest way that no other clearly beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.bundle.manifest import SEQUENCE
from models.pooling import Pooling, PoolKind
from models.runtime.photo_weights import PhotoWeigher
from models.runtime.sessions import Embedding, cpu_session
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import make_folds
from training.heads.head_fit import Fitting, sample_rows
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.heads.sources import make_sources
from training.instances.instance_photos import Photos
from training.instances.photo_attention import fit_weigher
from training.progress import progress
from training.reports.html_page import figures

OPTIONS: tuple[tuple[PoolKind, ...], ...] = (("mean",), ("mean", "max"), ("mean", "max", "change"))
"""From the simplest on; behind them comes what is learned."""
ATTENTION: tuple[PoolKind, ...] = ("attention",)
MOST_ROWS = 2000
"""Instances that the options are compared on, at most. For 2,000 of three photos with embeddings of 1,280 numbers it
takes 25 s on a core."""
_FOLDS = 5


@dataclass(frozen=True)
class PoolingChoice:
    """How the photos of an instance are pooled.

    Attributes:
        pooling: the chosen way.
        sentence: what it was chosen by.
        rows: of all instances, float32 `[N, W]`; by attention, an instance that it was fitted on is pooled by one that
            was fitted without it.
        files: of the bundle, that the pooling needs.
    """

    pooling: Pooling
    sentence: str
    rows: Embedding
    files: Mapping[str, bytes] = field(default_factory=dict)


def choose_pooling(dataset: Dataset, embedding: Embedding, known: Indices, *, seed: int) -> PoolingChoice:
    """Compares the options by out-of-fold losses of a linear head on the embedding alone.

    Args:
        dataset: N instances with their photos, labels and groups.
        embedding: of all photos, float32 `[M, D]`.
        known: positions of the instances that are no test images.
        seed: of the folds, and of the choice of instances if they are many.

    Raises:
        DataError: all instances are of one group, so there are no folds.
        ExportError: an exported graph does not compute what was fitted.
    """
    assert dataset.photos is not None
    rows = known[np.sort(sample_rows(dataset.strata[known], MOST_ROWS, seed))]
    photos = _InstancePhotos(dataset, dataset.photos, embedding)
    tried = {kinds: _tried(dataset, rows, photos.pooled(rows, Pooling(kinds)), seed) for kinds in OPTIONS}
    attended = _cross_fitted(photos, rows, seed)
    tried[ATTENTION] = _tried(dataset, rows, attended, seed)
    chosen = OPTIONS[0]
    for kinds, candidate in tried.items():
        if candidate.clearly_beats(tried[chosen]):
            chosen = kinds
    sentence, every = _sentence(chosen, tried, len(rows)), np.arange(len(dataset.labels))
    if chosen != ATTENTION:
        return PoolingChoice(Pooling(chosen), sentence, photos.pooled(every, Pooling(chosen)))
    graph = photos.weigher(rows, seed)
    pooling = _attention(graph)
    pooled = photos.pooled(every, pooling)
    pooled[rows] = attended
    return PoolingChoice(pooling, sentence, pooled, {SEQUENCE: graph})


@dataclass(frozen=True)
class _InstancePhotos:
    """Instances and the embeddings of their photos."""

    dataset: Dataset
    photos: Photos
    embedding: Embedding

    def pooled(self, rows: Indices, pooling: Pooling) -> Embedding:
        return pooling.each(self.embedding[self.photos.positions(rows)], self.photos.counts[rows].tolist())

    def weigher(self, rows: Indices, seed: int) -> bytes:
        dataset, embedding = self.dataset, self.embedding[self.photos.positions(rows)]
        labels, units = dataset.labels[rows], dataset.unit[rows]
        return fit_weigher(embedding, self.photos.counts[rows], labels, len(dataset.classes), units=units, seed=seed)


def _cross_fitted(photos: _InstancePhotos, rows: Indices, seed: int) -> Embedding:
    """Instances pooled by attention, each by one that was fitted without its fold, float32 `[R, W]`."""
    dataset = photos.dataset
    folds = make_folds(dataset.strata[rows], dataset.unit[rows], _FOLDS, seed)
    pooled = np.empty((len(rows), photos.embedding.shape[1]), np.float32)
    for fold in progress(range(_FOLDS), "fitting the weights of photos", "fold"):
        weigher = photos.weigher(rows[folds != fold], seed)
        pooled[folds == fold] = photos.pooled(rows[folds == fold], _attention(weigher))
    return pooled


def _attention(graph: bytes) -> Pooling:
    return Pooling(ATTENTION, PhotoWeigher(cpu_session(graph)))


def _tried(dataset: Dataset, rows: Indices, pooled: Embedding, seed: int) -> Candidate:
    """A linear head on pooled instances, cross-validated."""
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
