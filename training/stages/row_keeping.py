"""labelled embeddings ──▶ `rows-<head>.npz`: all rows of a head, or a stratified sample that fits within a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.bundle.kept_rows import TEST, TRAIN, VALIDATION, KeptColumn, KeptRows
from training.data.images import Indices
from training.heads.features.column_rows import values_of
from training.heads.head_fit import sample_rows
from training.stages.training_data import TrainingData

_LEAST_RATIO = 0.85
"""Size of compressed float16 embeddings, as a share of their size; measured 0.90 to 0.94 on the default bundle's and on
EfficientNet-Lite0's. It only spares the compression of rows that will not fit."""
_ROOM = 0.98  # of the limit that a further, smaller sample aims at


def rows_of(data: TrainingData) -> KeptRows:
    """All rows that a head was fitted on, validated and tested with; test images with a copy elsewhere are left out."""
    dataset, parts, source = data.dataset, data.parts, next(iter(data.sources.values()))
    test = data.uncopied_test
    positions = np.concatenate([np.union1d(parts.known, data.held_out), test])
    is_test, is_held_out = np.isin(positions, test), np.isin(positions, data.held_out)
    part = np.where(np.isin(positions, parts.train), TRAIN, VALIDATION)
    labels = dataset.labels[positions]
    _, unit = np.unique(dataset.unit[positions], return_inverse=True)
    return KeptRows(
        embedding=data.embedding[positions].astype(np.float16),
        labels=labels.astype(np.int32 if dataset.classes else np.float64),
        part=np.where(is_test, TEST, part).astype(np.uint8),
        seen=~is_held_out & ~is_test,
        fitted=~is_test & ~np.isin(positions, data.held_out[~source.fitted]),
        unit=unit.astype(np.int32),
        weight=np.ones(len(positions), np.float32),
        answer=np.zeros(len(positions), "S64"),
        columns={column.name: _column(data, column.name, positions) for column in dataset.columns},
    )


def rows_file(rows: KeptRows, limit_bytes: int, seed: int) -> bytes | None:
    """The file of the rows, or of a sample of them if it would be larger than the limit; None if no row fits.

    Rows that the network was fitted on, held-out rows, test rows and answers of people share the sample equally, as far
    as there are so many. Within each, every class gives the same share, at least two rows.

    Args:
        rows: all of them.
        limit_bytes: of the file.
        seed: of the sample.
    """
    count = int(min(len(rows), limit_bytes / (2 * max(1, rows.embedding.shape[1]) * _LEAST_RATIO)))
    while count > 0:
        kept = _sample(rows, count, seed)
        data = kept.to_file()
        if len(data) <= limit_bytes:
            return data
        count = min(count - 1, int(len(kept) * _ROOM * limit_bytes / len(data)))
    return None


def _column(data: TrainingData, name: str, positions: Indices) -> KeptColumn:
    values = values_of(data.dataset.rows, name).part(positions)
    return KeptColumn(values.distinct, values.positions.astype(np.int32)).at(np.arange(len(positions)))


def _sample(rows: KeptRows, count: int, seed: int) -> KeptRows:
    """About `count` rows, with their weights."""
    if count >= len(rows):
        return rows
    group = np.where(rows.answer != b"", 3, np.where(rows.part == TEST, 2, np.where(rows.seen, 1, 0)))
    strata = rows.labels if rows.labels.dtype.kind == "i" else np.zeros(len(rows), np.int64)
    kept, weight = [], rows.weight.copy()
    sizes = np.bincount(group, minlength=4)
    for number, share in enumerate(_shares(sizes, count)):
        members = np.flatnonzero(group == number)
        if not share:
            continue
        taken = members[sample_rows(strata[members].astype(np.int64), share, seed)]
        for stratum in np.unique(strata[members]):
            inside = taken[strata[taken] == stratum]
            weight[inside] *= rows.weight[members[strata[members] == stratum]].sum() / rows.weight[inside].sum()
        kept.append(taken)
    return replace(rows, weight=weight).at(np.sort(np.concatenate(kept)))


def _shares(sizes: NDArray[np.int64], count: int) -> list[int]:
    """How many rows each group gives: equally many, as far as it has them, together `count`."""
    shares = np.zeros(len(sizes), np.int64)
    order = np.argsort(sizes, kind="stable")
    for turn, number in enumerate(order.tolist()):
        shares[number] = min(sizes[number], (count - shares.sum()) // (len(sizes) - turn))
    return [int(share) for share in shares]
