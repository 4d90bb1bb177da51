"""labelled embeddings ──▶ `Source`: the rows that a head is fitted on, and the held-out rows that evaluate it.

The network has not seen the held-out rows. A head that was fitted without a row's fold predicts the row (out of fold),
so every held-out row counts in every choice, and the head that serves is fitted on all of them. Rows that the network
was trained on are always fitted on and never used to evaluate: the network knows them too well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.arrays import Floats
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import make_folds
from training.exceptions import DataError
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of

FOLDS = 5
_ONE_FOLD_FROM = 4
"""With this many times as many seen rows as held-out ones, leaving out all held-out rows hardly changes a head."""
_FEWEST_SEEN = 2  # rows of each class, without which a head would not know the class


@dataclass(frozen=True)
class Source:
    """What a head is fitted on and evaluated with.

    Attributes:
        held_out: rows that the network has not seen, `[J]`.
        folds: the fold of each of them, int64 `[J]`.
        seen: rows that the network was trained on, or variants of them; may be empty.
        units: the unit of each held-out row, int64 `[J]`. Copies, and rows of one group, are one unit: one piece of
            evidence.
        fitted: which held-out rows are fitted on, `[J]`. The others were dropped as doubtful. They still evaluate:
            without them a head would look better than it is.
    """

    held_out: LabelledEmbeddings
    folds: Indices
    seen: LabelledEmbeddings
    units: Indices
    fitted: NDArray[np.bool_]

    @property
    def whole(self) -> LabelledEmbeddings:
        """All rows that the final head is fitted on."""
        return self.seen + self.held_out.part(np.flatnonzero(self.fitted))

    def without(self, fold: int) -> LabelledEmbeddings:
        """All rows to fit on except those of a fold."""
        return self.seen + self.held_out.part(np.flatnonzero((self.folds != fold) & self.fitted))

    def one_per_unit(self, seed: int) -> Indices:
        """Positions of held-out rows, one of each unit at random, ascending."""
        shuffled = np.random.default_rng(seed).permutation(len(self.units))
        _, first = np.unique(self.units[shuffled], return_index=True)
        return np.sort(shuffled[first])

    def by_unit(self, values: Floats) -> Floats:
        """The mean of `values` `[J]` over the rows of each unit, `[U]`."""
        _, unit = np.unique(self.units, return_inverse=True)
        return np.asarray(np.bincount(unit, values) / np.maximum(np.bincount(unit), 1))

    def narrowed(self, width: int | None, *, with_columns: bool) -> Source:
        """The same rows with the first `width` numbers of the embedding (None: all), with or without the columns."""

        def narrow(labelled: LabelledEmbeddings) -> LabelledEmbeddings:
            rows = labelled.rows if with_columns else ()
            return LabelledEmbeddings(labelled.embedding[:, :width], labelled.labels, rows, labelled.weights)

        return replace(self, held_out=narrow(self.held_out), seen=narrow(self.seen))


def make_sources(
    dataset: Dataset,
    embedding: Embedding,
    held_out: Indices,
    seen: Mapping[str, LabelledEmbeddings],
    *,
    seed: int,
    unfitted: Indices | None = None,
) -> dict[str, Source]:
    """Makes sources, by name, that all have the same held-out images. Sources that lack a class are left out.

    Args:
        dataset: labels, columns and groups.
        embedding: of all its images, float32 `[N, D]`.
        held_out: positions of the images that the network has not seen.
        seen: rows that the network was trained on, by name; one more source has none of them.
        seed: of the folds.
        unfitted: positions of held-out images that evaluate but are not fitted on; None if there are none.

    Raises:
        DataError: all images are of one group, so no image can evaluate a head that was fitted on the others.
    """
    none = embeddings_of(dataset, embedding, held_out[:0])
    tried = {**{f"{name} and held-out images": rows for name, rows in seen.items()}, "held-out images": none}
    fitted = ~np.isin(held_out, [] if unfitted is None else unfitted)
    made = {name: _make_source(dataset, embedding, held_out, rows, fitted, seed=seed) for name, rows in tried.items()}
    usable = {name: source for name, source in made.items() if _is_enough(source, len(dataset.classes))}
    if not usable:
        raise DataError("all images are copies of one or of one group, so none can be held out; add others")
    return usable


def _make_source(
    dataset: Dataset,
    embedding: Embedding,
    held_out: Indices,
    seen: LabelledEmbeddings,
    fitted: NDArray[np.bool_],
    *,
    seed: int,
) -> Source:
    is_one_fold = len(seen) >= _ONE_FOLD_FROM * len(held_out) and _has_all_classes(dataset, seen)
    folds = make_folds(dataset.strata[held_out], dataset.unit[held_out], 1 if is_one_fold else FOLDS, seed)
    return Source(embeddings_of(dataset, embedding, held_out), folds, seen, dataset.unit[held_out], fitted)


def _has_all_classes(dataset: Dataset, seen: LabelledEmbeddings) -> bool:
    if not dataset.classes:
        return len(seen) >= _FEWEST_SEEN
    return bool((np.bincount(seen.labels, minlength=len(dataset.classes)) >= _FEWEST_SEEN).all())


def _is_enough(source: Source, classes: int) -> bool:
    """Whether a source has rows of all classes (or any numbers), and rows to fit on outside each fold."""
    has_all = len(np.unique(source.whole.labels)) == classes if classes else len(source.whole) > 0
    return has_all and (len(source.seen) > 0 or len(np.unique(source.folds)) > 1)
