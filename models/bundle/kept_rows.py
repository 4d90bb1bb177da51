"""labelled embeddings of a head ⇄ `rows-<head>.npz`: what a refit starts from, years after the images are gone.

The file has plain arrays only. Columns are stored by their distinct values, as JSON in an array of bytes, and the
position of each row's value among them, so that numbers, texts, booleans and missing values keep their type.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec
from models.columns import ColumnValue
from models.errors import BundleError

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Parts of a data set."""

_DTYPES = {"embedding": "f2", "part": "u1", "seen": "?", "fitted": "?", "unit": "i4", "weight": "f4", "answer": "S64"}


@dataclass(frozen=True)
class KeptColumn:
    """One column of the rows.

    Attributes:
        distinct: its values, each once; None for a missing one.
        positions: of each row's value among them, int32 `[N]`.
    """

    distinct: tuple[ColumnValue, ...]
    positions: NDArray[np.int32]

    def at(self, positions: NDArray[np.integer[Any]]) -> KeptColumn:
        """The values of the rows at some positions, without those that only other rows have."""
        used, inverse = np.unique(self.positions[positions], return_inverse=True)
        return KeptColumn(tuple(self.distinct[place] for place in used.tolist()), inverse.astype(np.int32))

    @classmethod
    def of(cls, values: Iterable[ColumnValue]) -> KeptColumn:
        """Some values, one a row."""
        index: dict[tuple[type, ColumnValue], int] = {}  # by type as well, since True is 1
        positions = [index.setdefault((type(value), value), len(index)) for value in values]
        return cls(tuple(value for _, value in index), np.array(positions, np.int32))

    def values(self) -> list[ColumnValue]:
        """One a row."""
        return [self.distinct[place] for place in self.positions.tolist()]

    def __add__(self, other: KeptColumn) -> KeptColumn:
        return KeptColumn.of([*self.values(), *other.values()])


@dataclass(frozen=True)
class KeptRows:
    """Labelled embeddings of one head: all of its data set, or a stratified sample.

    Attributes:
        embedding: float16 `[N, D]`.
        labels: class positions, int32 `[N]`, or numbers, float64 `[N]`.
        part: `TRAIN`, `VALIDATION` or `TEST`, uint8 `[N]`. Test rows have no copy in another part.
        seen: whether the network was fitted on the image, on a copy or on an image of its group, bool `[N]`.
        fitted: whether a head may be fitted on the row, bool `[N]`. Doubtful rows, and test rows, only evaluate.
        unit: int32 `[N]`; rows of one unit are copies, or of one group, and stay on one side of every split.
        weight: how many rows of the data set each stands for, float32 `[N]`.
        answer: SHA-256 in hexadecimal of the image, of rows that are answers of people; else empty, bytes `[N]`.
        columns: by name; empty if the head has none.
    """

    embedding: NDArray[np.float16]
    labels: NDArray[Any]
    part: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    fitted: NDArray[np.bool_]
    unit: NDArray[np.int32]
    weight: NDArray[np.float32]
    answer: NDArray[np.bytes_]
    columns: Mapping[str, KeptColumn] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: NDArray[np.integer[Any]]) -> KeptRows:
        """The rows at some positions."""
        arrays = {name: getattr(self, name)[positions] for name in (*_DTYPES, "labels")}
        return KeptRows(**arrays, columns={name: each.at(positions) for name, each in self.columns.items()})

    def __add__(self, other: KeptRows) -> KeptRows:
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in (*_DTYPES, "labels")}
        return KeptRows(**arrays, columns={name: each + other.columns[name] for name, each in self.columns.items()})

    def to_file(self) -> bytes:
        """The file, compressed."""
        arrays = {name: getattr(self, name).astype(dtype) for name, dtype in _DTYPES.items()}
        distinct = json.dumps({name: each.distinct for name, each in self.columns.items()}).encode()
        positions = np.array([each.positions for each in self.columns.values()], np.int32).reshape(-1, len(self))
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, **arrays, labels=self.labels, columns=np.frombuffer(distinct, np.uint8), positions=positions
        )
        return buffer.getvalue()

    @classmethod
    def from_file(cls, data: bytes, head: HeadSpec, width: int) -> KeptRows:
        """Reads the file.

        Args:
            data: its bytes.
            head: whose rows they are.
            width: of the embedding.

        Raises:
            BundleError: it is not such a file, or not this head's.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                found: dict[str, Any] = {name: arrays[name] for name in (*_DTYPES, "labels", "columns", "positions")}
            distinct = json.loads(found.pop("columns").tobytes())
            columns = _columns(distinct, found.pop("positions"))
            _check(found, columns, head, width)
        except (ValueError, TypeError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{head.rows_file}: not the rows of head {head.name!r} ({error}); write the bundle again with "
                "`python -m training`"
            ) from error
        return cls(**found, columns=columns)


def _columns(distinct: Mapping[str, Sequence[ColumnValue]], positions: NDArray[np.int32]) -> dict[str, KeptColumn]:
    pairs = zip(distinct.items(), positions, strict=True)
    return {name: KeptColumn(tuple(values), places) for (name, values), places in pairs}


def _check(arrays: Mapping[str, NDArray[Any]], columns: Mapping[str, KeptColumn], head: HeadSpec, width: int) -> None:
    """Raises `ValueError` unless types and shapes fit together, and the head."""
    labels = arrays["labels"]
    rows = len(labels)
    dtypes = {**_DTYPES, "labels": "i4" if head.classes else "f8"}
    for name, dtype in dtypes.items():
        shape = (rows, width) if name == "embedding" else (rows,)
        if arrays[name].dtype != np.dtype(dtype) or arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}, not {dtype} of {shape}")
    if head.classes and rows and not 0 <= labels.min() <= labels.max() < len(head.classes):
        raise ValueError(f"a label is none of {len(head.classes)} classes")
    if set(columns) != {column.name for column in head.columns}:
        raise ValueError(f"columns are {sorted(columns)}")
    for name, column in columns.items():
        if rows and not 0 <= column.positions.min() <= column.positions.max() < len(column.distinct):
            raise ValueError(f"a row of column {name!r} has no value")
