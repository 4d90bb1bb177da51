"""rows ──▶ `TrainingData` without images, in which rows weigh as much as is asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import TEST, TRAIN, VALIDATION, KeptRows
from models.bundle.loading import Bundle
from models.runtime.embedding_files import EmbeddingCache
from training.arrays import Floats
from training.data.dataset import Dataset
from training.data.images import Gone
from training.data.seen_images import WHY_FEWER
from training.data.split import Split
from training.heads.features.column_rows import ColumnRows, Values
from training.heads.head_fit import sample_rows
from training.heads.labelled_embeddings import embeddings_of
from training.heads.sources import make_sources
from training.stages.training_data import TrainingData

_SEEN_A_HELD_OUT = 3
"""Rows that the network was fitted on, for each one that it was not, at most. With four times as many, heads would be
evaluated without a fit to any held-out row, answers included, and nothing could be said of what was learnt."""


def learning_data(rows: KeptRows, bundle: Bundle, spec: HeadSpec, *, weights: Floats | None, seed: int) -> TrainingData:
    """Makes the data of a head from its rows.

    Args:
        rows: old ones, and answers, which the network has not seen.
        bundle: whose rows they are.
        spec: the head's entry in the manifest.
        weights: of the rows in fits, float64 `[N]`; None if all have the same.
        seed: of the folds.

    Raises:
        DataError: rows that are left cannot be held out.
    """
    dataset = _dataset(rows, bundle, spec, weights)
    embedding, is_test = rows.embedding.astype(np.float32), rows.part == TEST
    usable = rows.fitted & ~is_test
    parts = Split(
        train=np.flatnonzero(usable & (rows.part == TRAIN)),
        validation=np.flatnonzero(usable & (rows.part == VALIDATION)),
        test=np.flatnonzero(is_test),
    )
    held_out, seen = np.flatnonzero(~rows.seen & ~is_test), np.flatnonzero(rows.seen & usable)
    strata = dataset.strata[seen]
    seen = seen[sample_rows(strata, _SEEN_A_HELD_OUT * len(held_out), seed)]
    more = {"training images": embeddings_of(dataset, embedding, seen)} if len(seen) else {}
    unfitted = held_out[~rows.fitted[held_out]]
    sources = make_sources(dataset, embedding, held_out, more, seed=seed, unfitted=unfitted)
    cache = EmbeddingCache(Path(), b"", bundle.manifest.input, with_thumbnails=False)
    return TrainingData(dataset, parts, embedding, held_out, sources, cache, WHY_FEWER if len(seen) else "")


def _dataset(rows: KeptRows, bundle: Bundle, spec: HeadSpec, weights: Floats | None) -> Dataset:
    columns = {
        name: Values(column.distinct, _numbers(column.distinct), column.positions.astype(np.int64))
        for name, column in rows.columns.items()
    }
    return Dataset(
        name=bundle.manifest.name,
        images=Gone(len(rows), bundle.manifest.input),
        labels=rows.labels.astype(np.int64 if spec.classes else np.float64),
        classes=spec.classes,
        input=bundle.manifest.input,
        columns=spec.columns,
        rows=ColumnRows(columns) if columns else (),
        keys=tuple(hashlib.sha256(row.tobytes()).digest() for row in rows.embedding),
        groups=rows.unit.astype(np.int64),
        weights=weights,
    )


def _numbers(distinct: tuple[object, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([float(each) if isinstance(each, int | float) else np.nan for each in distinct], np.float64)
