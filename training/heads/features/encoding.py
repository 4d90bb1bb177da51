"""columns beside the image ──▶ numbers beside the embedding: fitted on the training rows, the same in the graph.

A missing number is filled with the median; numbers are clipped to the range of the training rows and scaled to mean 0
and deviation 1, all in float64: near 1.7e9 float32 has only every 128th number. A boolean is a number, a date is its
days since 1970. A category is one-hot encoded over the values that are frequent enough; for any other value, and for a
missing one, all of them are 0. If a column was missing in training, one more number says whether it is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.columns import Column, ColumnValue
from training.heads.features.column_rows import Rows, Values, values_of
from training.heads.features.expansion import Expansion, fit_expansion
from training.heads.features.views import View, Whole

__all__ = [
    "MAX_CATEGORIES",
    "NO_COLUMNS",
    "CategoryCode",
    "Code",
    "Encoder",
    "NumberCode",
    "Rows",
    "fit_encoder",
    "fitted_columns",
]

MISSING_CATEGORY = ""  # as `models.runtime.sessions` gives a missing one to the graph
MAX_CATEGORIES = 200
_LEAST_ROWS = 2  # of a category that is encoded
_MOST = 1e300  # larger numbers are clipped to it, so that no sum or difference is infinite
_FAR = 10.0  # interquartile ranges beyond the quartiles, where no common distribution has numbers
_LEAST_DEVIATION = float(np.finfo(np.float64).tiny)  # less has no reciprocal


@dataclass(frozen=True)
class NumberCode:
    """How a number, a boolean or a date is encoded; all of it float64 up to the result, as in the graph."""

    name: str
    fill: float
    low: float
    high: float
    mean: float
    scale: float
    is_missed: bool
    """Whether it was missing in training."""

    @property
    def width(self) -> int:
        """The number of features that it becomes."""
        return 1 + self.is_missed

    def __call__(self, values: Values) -> NDArray[np.float32]:
        """Float32 `[N, 1]`, or `[N, 2]` with whether it is missing."""
        given = values.as_numbers()
        missing = np.isnan(given)
        filled = np.where(missing, self.fill, given).clip(self.low, self.high)
        scaled = ((filled - self.mean) * self.scale).astype(np.float32)
        return np.stack([scaled, missing.astype(np.float32)] if self.is_missed else [scaled], axis=1)


@dataclass(frozen=True)
class CategoryCode:
    """How a category is encoded."""

    name: str
    categories: tuple[str, ...]
    """The encoded ones, with `MISSING_CATEGORY` if it was missing in training; empty if each text came once, so that
    the column says nothing."""

    @property
    def width(self) -> int:
        """The number of features that it becomes."""
        return len(self.categories)

    def __call__(self, values: Values) -> NDArray[np.float32]:
        """Float32 `[N, C]`."""
        index = {category: position for position, category in enumerate(self.categories)}
        position = np.array([index.get(_category(value), -1) for value in values.distinct], np.int64)[values.positions]
        return np.asarray(position[:, None] == np.arange(len(self.categories)), np.float32)


Code = NumberCode | CategoryCode


@dataclass(frozen=True)
class Encoder:
    """How embedding and columns become features, fitted on training rows.

    Attributes:
        codes: of each column, in the manifest's order.
        view: what is seen of the embedding.
        expansion: what is added to the encoded columns; None if nothing is.
    """

    codes: tuple[Code, ...] = ()
    view: View = Whole()  # noqa: RUF009 (frozen)
    expansion: Expansion | None = None

    def width(self, of: int) -> int:
        """F for embeddings of width `of`."""
        added = 0 if self.expansion is None else self.expansion.width
        return self.view.width(of) + sum(code.width for code in self.codes) + added

    def __call__(self, embedding: NDArray[np.float32], rows: Rows = ()) -> NDArray[np.float32]:
        """View, encoded columns and what is added to them side by side, float32 `[N, F]`, of embeddings `[N, D]`."""
        view = self.view(embedding)
        return np.concatenate([view, self.encoded(rows)], axis=1) if self.codes else view

    def encoded(self, rows: Rows) -> NDArray[np.float32]:
        """The columns of rows, float32 `[N, C]`."""
        encoded = np.concatenate([code(values_of(rows, code.name)) for code in self.codes], axis=1)
        return np.concatenate([encoded, self.expansion(encoded)], axis=1) if self.expansion else encoded


NO_COLUMNS = Encoder()


def fit_encoder(
    columns: Sequence[Column], rows: Rows, view: View = NO_COLUMNS.view, *, expands: bool = False
) -> Encoder:
    """Fits the encoding of columns, and what is added to them, to training rows."""
    codes = tuple(_code(column, values_of(rows, column.name)) for column in columns)
    plain = Encoder(codes, view)
    return replace(plain, expansion=fit_expansion(plain.encoded(rows))) if codes and expands else plain


def fitted_columns(columns: Sequence[Column], rows: Rows) -> tuple[Column, ...]:
    """Columns with the range or the most frequent categories of the rows that a head is fitted on."""
    return tuple(_fitted(column, values_of(rows, column.name)) for column in columns)


def _fitted(column: Column, values: Values) -> Column:
    if column.type == "boolean":
        return column
    if column.type == "category":
        counts = _counted(values)
        del counts[MISSING_CATEGORY]
        given = [category for category, count in counts.most_common(MAX_CATEGORIES) if count]
        return column.model_copy(update={"categories": tuple(sorted(given))})
    numbers = _given(values)
    numbers = numbers if len(numbers) else np.zeros(1)  # as in the graph if all are missing
    return column.model_copy(update={"low": float(numbers.min()), "high": float(numbers.max())})


def _code(column: Column, values: Values) -> Code:
    if column.type == "category":
        counts = _counted(values).most_common(MAX_CATEGORIES)
        frequent = [category for category, count in counts if count >= _LEAST_ROWS]
        return CategoryCode(column.name, tuple(sorted(frequent)))
    given = _given(values).clip(-_MOST, _MOST)
    if not len(given):
        given = np.zeros(1)
    fill, (low, high) = float(np.median(given)), _ends(given)
    given = given.clip(low, high)
    filled = np.concatenate([given, np.full(len(values) - len(given), fill)])
    mean = low if low == high else float(filled.mean())
    deviation = _deviation(filled - mean)
    return NumberCode(
        name=column.name,
        fill=fill,
        low=low,
        high=high,
        mean=mean,
        scale=1 / deviation if deviation >= _LEAST_DEVIATION else 1.0,
        is_missed=len(given) < len(values),
    )


def _ends(given: NDArray[np.float64]) -> tuple[float, float]:
    """The limits that numbers `[N]` are clipped to: their own range without what is far out.

    A single 1e12 among thousands would make the deviation so large that all other numbers look the same.
    """
    low, first, third, high = np.quantile(given, (0.0, 0.25, 0.75, 1.0))
    far = _FAR * (third - first)
    return (float(max(low, first - far)), float(min(high, third + far))) if far > 0 else (float(low), float(high))


def _category(value: ColumnValue) -> str:
    return MISSING_CATEGORY if value is None else str(value)


def _counted(values: Values) -> Counter[str]:
    """How many rows have each category."""
    counts: Counter[str] = Counter()
    for value, count in zip(values.distinct, values.counts().tolist(), strict=True):
        counts[_category(value)] += count
    return counts


def _given(values: Values) -> NDArray[np.float64]:
    """The numbers that are not missing."""
    numbers = values.as_numbers()
    return numbers[~np.isnan(numbers)]


def _deviation(differences: NDArray[np.float64]) -> float:
    """Root mean square of differences `[N]`, even if their squares overflow or underflow float64."""
    largest = float(np.abs(differences).max())
    return largest * float(np.sqrt(np.mean((differences / largest) ** 2))) if largest >= _LEAST_DEVIATION else 0.0
