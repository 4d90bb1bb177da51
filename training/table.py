"""FILE.csv or FILE.parquet ──▶ `Table`: one row an image, with its label and the columns beside it, typed and checked.

Types are found from the values, each in sight of all rows: nothing is guessed from the first hundred. What cannot be
right is an error that names column, row and value; rows are numbered as a spreadsheet numbers them, the header being 1.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.columns import Column, ColumnValue
from models.manifest import Task
from training.errors import DataError
from training.images import Indices
from training.reading import printable

MAX_ROWS = 2_000_000
"""Rows are read as a stream, of which only the columns that were asked for are kept."""
NUMBERS_FROM = 20
"""Labels that are all numbers, and more than so many different ones, are numbers to be named where they have fractions
or hardly come twice; else they are classes."""
_NUMBERS_SHARE = 0.05  # of the rows: so many different whole numbers hardly come twice
MIN_NUMBERS = 2
RESERVED = ("embedding", "label", "probabilities", "value", "interval")
"""Names of inputs and outputs of a head's graph, of which each column is an input, too."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""What stands for a missing value, in lower case."""
PARTS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
         "dev": "validation", "test": "test"}  # fmt: skip
_TRUTHS = {"true": True, "yes": True, "t": True, "y": True, "false": False, "no": False, "f": False, "n": False}
_FIELD_BYTES = 1024 * 1024
_NUMERIC_SHARE = 0.5  # of the values: so many numbers, and the others are taken for mistakes
_NAMES_SHARE = 0.5  # of the rows: so many different texts tell rows apart instead of describing them
_NAMES_COUNT = 200
_SHOWN = 5


@dataclass(frozen=True)
class Ask:
    """Which columns of the file are what.

    Attributes:
        image: the path of the image, relative to the table's folder.
        label: what is to be predicted.
        columns: what is beside the image.
        split: which part a row belongs to; None where the rows are split at random.
        group: rows of one value stay on one side of the split; None where each row is on its own.
        optional: columns that requests may lack although no row here does; then a person is asked.
        task: whether labels are classes or numbers; None to find out, see `NUMBERS_FROM`.
    """

    image: str
    label: str
    columns: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None
    optional: tuple[str, ...] = ()
    task: Task | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (self.image, self.label, *self.columns, *(name for name in (self.split, self.group) if name))


@dataclass(frozen=True)
class Table:
    """A table's rows.

    Attributes:
        images: files, each within the table's folder.
        labels: what is to be predicted: texts, or numbers.
        columns: name and type of what is beside the image.
        rows: their values, one mapping an image.
        parts: positions by `train`, `validation` and `test`; None where the rows are split at random.
        skipped: rows left out, each with the reason.
        names: of the images, as the table has them, printable.
        groups: of the rows; None where there are none, and for a row without a group.
    """

    images: list[Path]
    labels: list[str] | list[float]
    columns: tuple[Column, ...]
    rows: list[dict[str, ColumnValue]]
    parts: Mapping[str, Indices] | None
    skipped: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    groups: Sequence[str | None] | None = None


def read(path: Path, ask: Ask) -> Table:
    """Reads and checks a table.

    Raises:
        DataError: a sentence that names what is wrong, where, and what to do.
    """
    if unknown := [name for name in ask.optional if name not in ask.columns]:
        raise DataError(f"{unknown[0]!r} cannot be optional: it is none of the columns {', '.join(ask.columns)}")
    if taken := [name for name in ask.columns if name in RESERVED]:
        raise DataError(
            f"a column cannot be called {taken[0]!r}, as the graph's own {', '.join(RESERVED)} are; rename it"
        )
    cells = _read_cells(path, ask)
    kept, skipped = _labelled(cells[ask.label], ask.label)
    if not kept:
        raise DataError(f"{path} has no row with a label in column {ask.label!r}")
    cells = {name: [values[row] for row in kept] for name, values in cells.items()}
    lines = [row + 2 for row in kept]  # the header is line 1
    typed = {name: _typed(name, cells[name], lines) for name in ask.columns}
    columns = tuple(_relaxed(column, ask) for column, _ in typed.values())
    rows = [dict(zip(typed, values, strict=True)) for values in zip(*(v for _, v in typed.values()), strict=True)]
    return Table(
        images=_images(path, cells[ask.image], lines),
        labels=_labels(ask, cells[ask.label], lines),
        columns=columns,
        rows=rows if ask.columns else [{} for _ in kept],
        parts=_parts(ask.split, cells[ask.split], lines) if ask.split else None,
        skipped=skipped,
        names=tuple(printable(cell) for cell in cells[ask.image]),
        groups=cells[ask.group] if ask.group else None,
    )


def _read_cells(path: Path, ask: Ask) -> dict[str, list[str | None]]:
    """The cells of the columns that are asked for; None where one is missing."""
    if repeated := [name for name, count in Counter(ask.all).items() if count > 1]:
        raise DataError(f"column {repeated[0]!r} cannot be two things at once: image, label, column, split or group")
    if not path.is_file():
        raise DataError(f"{path} is no file; name a table, FILE.csv or FILE.parquet")
    read_rows = {".csv": _csv_rows, ".parquet": _parquet_rows}.get(path.suffix.lower())
    if read_rows is None:
        raise DataError(f"{path} is no .csv and no .parquet file")
    cells: dict[str, list[str | None]] = {name: [] for name in ask.all}
    for count, row in enumerate(read_rows(path, ask.all), 1):
        if count > MAX_ROWS:
            raise DataError(f"{path} has more than {MAX_ROWS:,} rows, which is the limit; take a part of it")
        for name, value in zip(cells, row, strict=True):
            cells[name].append(None if value.strip().lower() in MISSING else value.strip())
    return cells


def _csv_rows(path: Path, names: Sequence[str]) -> Iterator[list[str]]:
    csv.field_size_limit(_FIELD_BYTES)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            positions = _positions(path, next(rows, []), names)
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(positions):
                    raise DataError(f"{path}, row {rows.line_num}: {len(row)} cells, fewer than the header has")
                yield [row[position] for position in positions]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def _parquet_rows(path: Path, names: Sequence[str]) -> Iterator[list[str]]:
    try:
        import pyarrow as pa  # noqa: PLC0415 (not for CSV)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise DataError(f"reading parquet needs pyarrow; pip install '.[train]' ({error})") from error
    try:
        file = parquet.ParquetFile(path)
        _positions(path, file.schema_arrow.names, names)
        for batch in file.iter_batches(columns=list(names)):
            cells = (batch.column(name).to_pylist() for name in names)
            yield from (["" if cell is None else str(cell) for cell in row] for row in zip(*cells, strict=True))
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error


def _positions(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where the columns are."""
    header = [name.strip() for name in header]
    if not header:
        raise DataError(f"{path} is empty")
    counts = Counter(header)
    if repeated := [name for name in names if counts[name] > 1]:
        raise DataError(f"{path} has {counts[repeated[0]]} columns named {repeated[0]!r}; rename them")
    if unknown := [name for name in names if not counts[name]]:
        raise DataError(f"{path} has no column {unknown[0]!r}; it has {', '.join(map(repr, header))}")
    return [header.index(name) for name in names]


def _labelled(labels: Sequence[str | None], name: str) -> tuple[list[int], tuple[str, ...]]:
    kept = [row for row, label in enumerate(labels) if label is not None]
    return kept, tuple(f"row {row + 2}: no {name}" for row, label in enumerate(labels) if label is None)


def _labels(ask: Ask, cells: Sequence[str | None], lines: Sequence[int]) -> list[str] | list[float]:
    """Classes or numbers, as it was asked for or as they look."""
    given = [str(cell) for cell in cells]
    numbers = [_number(cell) for cell in given]
    wrong = [i for i, number in enumerate(numbers) if number is None]
    if ask.task == "classification" or (ask.task is None and not _are_measured(numbers)):
        return given
    if wrong:
        more = f", and {len(wrong) - 1} more rows are like it" if len(wrong) > 1 else ""
        raise DataError(
            f"label column {ask.label!r} is to hold numbers, but has {given[wrong[0]]!r} in row {lines[wrong[0]]}{more}"
        )
    if len(set(numbers)) < MIN_NUMBERS:
        raise DataError(f"the labels are all {given[0]}; there is nothing to predict")
    return [number for number in numbers if number is not None]


def _are_measured(numbers: Sequence[float | None]) -> bool:
    different = set(numbers)
    if None in different or len(different) <= NUMBERS_FROM:
        return False
    has_fractions = any(number is not None and not number.is_integer() for number in different)
    return has_fractions or len(different) > _NUMBERS_SHARE * len(numbers)


def _relaxed(column: Column, ask: Ask) -> Column:
    return column.model_copy(update={"required": False}) if column.name in ask.optional else column


def _typed(name: str, cells: Sequence[str | None], lines: Sequence[int]) -> tuple[Column, list[ColumnValue]]:
    """A column's type, and its values in it."""
    given = [cell for cell in cells if cell is not None]
    if not given:
        raise DataError(f"column {name!r} is empty in all {len(cells)} rows; leave it out")
    required = len(given) == len(cells)
    if all(cell.lower() in _TRUTHS for cell in given):
        truths: list[ColumnValue] = [None if cell is None else _TRUTHS[cell.lower()] for cell in cells]
        return Column(name=name, type="boolean", required=required), truths
    numbers = [None if cell is None else _number(cell) for cell in cells]
    wrong = [i for i, number in enumerate(numbers) if number is None and cells[i] is not None]
    if not wrong:
        return _numeric(name, numbers, required)
    if len(wrong) < _NUMERIC_SHARE * len(given):
        more = f", and {len(wrong) - 1} more rows are like it" if len(wrong) > 1 else ""
        raise DataError(
            f"column {name!r} has numbers, but {cells[wrong[0]]!r} in row {lines[wrong[0]]}{more}; "
            "mend them, or leave them empty"
        )
    return _categorical(name, cells, given, required)


def _numeric(name: str, numbers: Sequence[float | None], required: bool) -> tuple[Column, list[ColumnValue]]:
    given = [number for number in numbers if number is not None]
    return Column(name=name, type="number", required=required, low=min(given), high=max(given)), list(numbers)


def _categorical(
    name: str, cells: Sequence[str | None], given: Sequence[str], required: bool
) -> tuple[Column, list[ColumnValue]]:
    counts = Counter(given)
    if len(counts) > max(_NAMES_COUNT, _NAMES_SHARE * len(given)):
        raise DataError(
            f"column {name!r} has {len(counts):,} different texts in {len(cells):,} rows: it tells rows apart instead "
            "of describing them; leave it out"
        )
    categories = tuple(sorted(category for category, _ in counts.most_common(_NAMES_COUNT)))
    return Column(name=name, type="category", required=required, categories=categories), list(cells)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _images(path: Path, cells: Sequence[str | None], lines: Sequence[int]) -> list[Path]:
    """Files in the table's folder, symbolic links followed."""
    folder = path.parent.resolve()
    found, missing = [], []
    for cell, line in zip(cells, lines, strict=True):
        if cell is None:
            raise DataError(f"row {line} names no image")
        image = (folder / cell).resolve()
        if not image.is_relative_to(folder):
            raise DataError(f"row {line}: {cell!r} leaves the table's folder; put the images beside the table")
        if not image.is_file():
            missing.append(f"{cell} (row {line})")
        found.append(image)
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(
            f"{len(missing)} of {len(cells)} images are not in {folder}: {', '.join(missing[:_SHOWN])}{more}"
        )
    return found


def _parts(name: str, cells: Sequence[str | None], lines: Sequence[int]) -> dict[str, Indices]:
    unknown = [(cell, line) for cell, line in zip(cells, lines, strict=True) if (cell or "").lower() not in PARTS]
    if unknown:
        cell, line = unknown[0]
        raise DataError(
            f"split column {name!r} has {cell!r} in row {line}, and {len(unknown) - 1} more rows that are none of "
            f"{', '.join(PARTS)}"
        )
    part = np.array([PARTS[(cell or "").lower()] for cell in cells])
    found = {name: np.flatnonzero(part == name) for name in ("train", "validation", "test")}
    if empty := [name for name in ("train", "test") if not len(found[name])]:
        raise DataError(f"split column {name!r} puts no row into {empty[0]!r}")
    return found
