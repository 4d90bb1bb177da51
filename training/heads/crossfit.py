"""labelled embeddings ──▶ `Source`: what a head is fitted on, and the rows that judge it, none of them by itself.

Every row that the network has not seen is judged by a head that was fitted without the row's fold (out of fold), so all
of them count for every choice; and the head that serves is fitted on all of them. Rows that the network has seen are
always fitted on and never judged: the network knows them too well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import make_folds
from training.exceptions import DataError
from training.heads.features.column_rows import ColumnRows, Rows, joined
from training.heads.fitted_head import Decider

FOLDS = 5
_ONE_FOLD_FROM = 4
"""Times as many seen rows as judged ones: then a head without any of the judged rows is hardly another one."""
_FEWEST_SEEN = 2  # of each class, without which a head would not know the class


@dataclass(frozen=True)
class Lesson:
    """Labelled embeddings.

    Attributes:
        embedding: float32 `[N, D]`.
        labels: class positions, int64 `[N]`, or numbers, float64 `[N]`.
        rows: values of the columns beside each image; empty where there are no columns.
    """

    embedding: Embedding
    labels: NDArray[Any]
    rows: Rows = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", ColumnRows.of(self.rows))

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, positions: Indices) -> Lesson:
        """Some rows of it."""
        rows = self.rows.part(positions) if isinstance(self.rows, ColumnRows) else self.rows
        return Lesson(self.embedding[positions], self.labels[positions], rows)

    def __add__(self, other: Lesson) -> Lesson:
        return Lesson(
            np.concatenate([self.embedding, other.embedding]),
            np.concatenate([self.labels, other.labels]),
            joined(self.rows, other.rows),
        )


@dataclass(frozen=True)
class Source:
    """What a head is fitted on and judged by.

    Attributes:
        judged: rows that the network has not seen.
        folds: of each of those, int64 `[J]`.
        seen: rows that it has, or variants of them; may be empty.
        units: the group of each judged row, int64 `[J]`: copies and rows of one group are evidence of one thing.
        fitted: which judged rows are fitted on, `[J]`. The others were dropped as doubtful: they judge all the same, or
            the head would be judged without its own mistakes.
    """

    judged: Lesson
    folds: Indices
    seen: Lesson
    units: Indices
    fitted: NDArray[np.bool_]

    @property
    def whole(self) -> Lesson:
        """All rows, which the final head is fitted on."""
        return self.seen + self.judged.part(np.flatnonzero(self.fitted))

    def one_a_unit(self, seed: int) -> Indices:
        """Positions of judged rows, one of each unit at random, ascending."""
        shuffled = np.random.default_rng(seed).permutation(len(self.units))
        _, first = np.unique(self.units[shuffled], return_index=True)
        return np.sort(shuffled[first])

    def by_unit(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of values of the judged rows `[J]` over the rows of each unit, `[U]`."""
        _, unit = np.unique(self.units, return_inverse=True)
        return np.asarray(np.bincount(unit, values) / np.maximum(np.bincount(unit), 1))

    def narrowed(self, width: int | None, *, with_columns: bool) -> Source:
        """The same with the first numbers of the embedding alone, or all of them where None; and without columns."""

        def narrow(lesson: Lesson) -> Lesson:
            return Lesson(lesson.embedding[:, :width], lesson.labels, lesson.rows if with_columns else ())

        return replace(self, judged=narrow(self.judged), seen=narrow(self.seen))

    def without(self, fold: int) -> Lesson:
        """All rows but those of a fold."""
        return self.seen + self.judged.part(np.flatnonzero((self.folds != fold) & self.fitted))


Fit = Callable[..., Decider]
"""Fits a head to a lesson; given a fitted one, too, it may start from that."""


@dataclass(frozen=True)
class CrossFit:
    """Heads, each fitted without a fold.

    Attributes:
        deciders: by fold, ascending.
        folds: of the judged rows, int64 `[J]`.
        width: of what they say: K classes, or 1.
    """

    deciders: Mapping[int, Decider]
    folds: Indices
    width: int

    def __call__(self, judged: Lesson, answer: Callable[[Decider, Lesson], NDArray[np.float32]]) -> NDArray[np.float32]:
        """What the head without a row's fold says of the row, float32 `[J, K]`, for the judged rows in order."""
        found = np.empty((len(judged), self.width), np.float32)
        for fold, decider in self.deciders.items():
            positions = np.flatnonzero(self.folds == fold)
            found[positions] = answer(decider, judged.part(positions))
        return found

    def without(self, fold: int) -> Decider:
        """The head without a fold; where there is one head, it has seen no judged row at all."""
        return self.deciders[fold] if len(self.deciders) > 1 else next(iter(self.deciders.values()))

    def part(self, positions: Indices) -> CrossFit:
        """The same for some of the judged rows."""
        folds = self.folds[positions]
        return replace(self, deciders={fold: self.deciders[fold] for fold in np.unique(folds).tolist()}, folds=folds)

    def knows(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the head without a row's fold was fitted on the row's class at all, `[J]`."""
        known = np.ones(len(labels), bool)
        for fold, decider in self.deciders.items():
            inside = self.folds == fold
            known[inside] = np.isin(labels[inside], decider.present)
        return known


def cross_fit(fit: Fit, source: Source, width: int, starts: Mapping[int, Decider]) -> CrossFit:
    """Fits a head for each fold on all rows but those of the fold; `starts` has fitted ones to start from."""
    fitted = {fold: fit(source.without(fold), starts.get(fold)) for fold in np.unique(source.folds).tolist()}
    return CrossFit(fitted, source.folds, width)


def lesson_of(dataset: Dataset, embedding: Embedding, positions: Indices) -> Lesson:
    """The images at some positions; embedding is that of all images `[N, D]`."""
    return Lesson(embedding[positions], dataset.labels[positions], dataset.beside(positions))


def make_sources(
    dataset: Dataset,
    embedding: Embedding,
    judged: Indices,
    seen: Mapping[str, Lesson],
    *,
    seed: int,
    unfitted: Indices | None = None,
) -> dict[str, Source]:
    """Sources, by name, in all of which the same images judge; those that lack a class are left out.

    Args:
        dataset: labels, columns and groups.
        embedding: of all its images, float32 `[N, D]`.
        judged: positions of the images that the network has not seen.
        seen: rows that it has, by name; there is also a source without any.
        seed: of the folds.
        unfitted: positions of those images that judge, and are not fitted on; None where there are none.

    Raises:
        DataError: all images are of one group, so that none can be judged by the others.
    """
    none = lesson_of(dataset, embedding, judged[:0])
    tried = {**{f"{name} and held-out images": rows for name, rows in seen.items()}, "held-out images": none}
    fitted = ~np.isin(judged, [] if unfitted is None else unfitted)
    made = {name: _make_source(dataset, embedding, judged, rows, fitted, seed=seed) for name, rows in tried.items()}
    found = {name: source for name, source in made.items() if _is_enough(source, len(dataset.classes))}
    if not found:
        raise DataError("all images are copies of one or of one group, so none can be judged by the others; add others")
    return found


def _make_source(
    dataset: Dataset, embedding: Embedding, judged: Indices, seen: Lesson, fitted: NDArray[np.bool_], *, seed: int
) -> Source:
    is_known = len(seen) >= _ONE_FOLD_FROM * len(judged) and _knows_all(dataset, seen)
    count = 1 if is_known else FOLDS
    folds = make_folds(dataset.strata[judged], dataset.unit[judged], count, seed)
    return Source(lesson_of(dataset, embedding, judged), folds, seen, dataset.unit[judged], fitted)


def _knows_all(dataset: Dataset, seen: Lesson) -> bool:
    if not dataset.classes:
        return len(seen) >= _FEWEST_SEEN
    return bool((np.bincount(seen.labels, minlength=len(dataset.classes)) >= _FEWEST_SEEN).all())


def _is_enough(source: Source, classes: int) -> bool:
    """Whether it has rows of all classes, or, of numbers, any; and something to fit on beside each fold."""
    has_all = len(np.unique(source.whole.labels)) == classes if classes else len(source.whole) > 0
    return has_all and (len(source.seen) > 0 or len(np.unique(source.folds)) > 1)
