"""FILE.csv or FILE.parquet ──▶ `Table`: one row for each image, with its label and columns, typed and checked.

Types are found from the values of all rows, not from the first hundred. Errors name column, row and value; rows are
numbered as in a spreadsheet, where the header is row 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle.head_spec import Task
from models.columns import Column, ColumnValue
from models.tables.dialect import Dialect
from models.tables.missing_values import Missing
from models.tables.raw_column import RawColumn
from models.tables.table_columns import open_table, read_columns
from models.tables.table_file import clean_names
from models.text import clean
from training.data.images import Indices
from training.data.split_parts import PART_OF, PARTS
from training.exceptions import DataError
from training.notation.column_types import find_type
from training.notation.label_column import LabelColumn, read_labels
from training.notation.spellings import merge_spellings
from training.tables.photo_cells import find_photos

RESERVED = ("embedding", "label", "probabilities", "value", "interval")
"""Inputs and outputs of a head's graph, which columns cannot be named like: each column is an input as well."""


@dataclass(frozen=True)
class TableLayout:
    """What each column of the file is, and how the file is written.

    Attributes:
        image: the path of the image, relative to the folder of images, or several paths.
        label: what is to be predicted.
        columns: the columns beside the image.
        split: the part that a row belongs to; None to split rows at random.
        group: rows with one value stay on one side of the split; None if each row is its own group.
        optional: columns that requests may leave out although every row here has them; then a person reviews.
        task: whether labels are classes or numbers; None to find out, see `labels.NUMBERS_FROM`.
        dialect: how the file is written.
        images_root: the folder of images; None for the folder of the table.
        follow: whether symbolic links in the folder of images are followed.
    """

    image: str
    label: str
    columns: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None
    optional: tuple[str, ...] = ()
    task: Task | None = None
    dialect: Dialect = field(default_factory=Dialect)
    images_root: Path | None = None
    follow: bool = True

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (self.image, self.label, *self.columns, *(name for name in (self.split, self.group) if name))


@dataclass(frozen=True)
class Table:
    """A table's rows: N images, or N instances of several photos.

    Attributes:
        images: files, each within the folder of images; one for each row, or one row's after the other's.
        labels: what is to be predicted: texts, or numbers.
        columns: name and type of each column beside the image.
        rows: their values, one mapping for each image; dates are days since 1970-01-01 in UTC.
        parts: positions by `train`, `validation` and `test`; None if rows are split at random.
        skipped: rows left out, each with the reason.
        names: of the files, as the table has them, printable.
        groups: the group of each row, None for a row without one; None if there are no groups.
        how: sentences on how the file was read.
        described: type and contents of each column, and of the label.
        counts: how many files each row has, int64 `[N]`; None if each has one.
    """

    images: list[Path]
    labels: list[str] | list[float]
    columns: tuple[Column, ...]
    rows: list[dict[str, ColumnValue]]
    parts: Mapping[str, Indices] | None
    skipped: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    groups: Sequence[str | None] | None = None
    how: tuple[str, ...] = ()
    described: Mapping[str, str] = field(default_factory=dict)
    counts: Indices | None = None

    def rows_of(self, files: Sequence[int]) -> Indices:
        """The rows that some of the files belong to, int64."""
        positions = np.array(files, np.int64)
        return positions if self.counts is None else np.repeat(np.arange(len(self.counts)), self.counts)[positions]


def read(path: Path, layout: TableLayout) -> Table:
    """Reads and checks a table.

    Raises:
        DataError: the table is wrong; its message says what, where, and what to do.
    """
    layout = checked(layout)
    file = open_table(path, layout.dialect, [layout.image])
    raw = read_columns(file, layout.all, layout.dialect)
    label = read_labels(raw[layout.label], layout.task)
    kept, skipped = _labelled(path, raw[layout.label], label)
    raw = {name: column.of(kept) for name, column in raw.items()}
    typed = {name: find_type(raw[name]) for name in layout.columns}
    values = zip(*(column.values for column in typed.values()), strict=True)
    cells = raw[layout.image]
    photos = find_photos(layout.images_root or path.parent, cells.texts, cells.lines, follow=layout.follow)
    labels: list[Any] = [label.values[row] for row in kept]
    return Table(
        images=photos.paths,
        labels=labels,
        columns=tuple(_relaxed(column.column, layout) for column in typed.values()),
        rows=[dict(zip(typed, row, strict=True)) for row in values] if typed else [{} for _ in kept],
        parts=_parts(raw[layout.split]) if layout.split else None,
        skipped=skipped,
        names=photos.names,
        counts=photos.counts,
        groups=_groups(raw[layout.group]) if layout.group else None,
        how=(*file.how,
            Missing.of(layout.dialect.missing).rule, *_notes_on(layout.label, label.notes), *(
            sentence for name, column in typed.items() for sentence in _notes_on(name, column.notes)
        )),
        described={layout.label: label.described} | {name: column.described for name, column in typed.items()},
    )  # fmt: skip


def checked(layout: TableLayout) -> TableLayout:
    """Checks a layout, and returns it with cleaned names.

    Raises:
        DataError: a column has two roles, cannot be optional or has a reserved name.
    """
    layout = replace(
        layout,
        image=clean(layout.image),
        label=clean(layout.label),
        columns=clean_names(layout.columns),
        split=clean(layout.split or "") or None,
        group=clean(layout.group or "") or None,
        optional=clean_names(layout.optional),
    )
    if unknown := [name for name in layout.optional if name not in layout.columns]:
        known = ", ".join(layout.columns) or "beside the image, of which there are none"
        raise DataError(f"{unknown[0]!r} cannot be optional: it is none of the columns {known}")
    if taken := [name for name in layout.columns if name in RESERVED]:
        raise DataError(
            f"a column cannot be called {taken[0]!r}, as the graph's own {', '.join(RESERVED)} are; rename it"
        )
    if repeated := [name for name, count in Counter(layout.all).items() if count > 1]:
        raise DataError(f"column {repeated[0]!r} cannot be two things at once: image, label, column, split or group")
    return layout


def _labelled(path: Path, raw: RawColumn, label: LabelColumn) -> tuple[list[int], tuple[str, ...]]:
    """Positions of the rows with a label, and a sentence on each other row."""
    if not raw.lines:
        raise DataError(f"{path} has a header and no rows")
    kept = [row for row, value in enumerate(label.values) if value is not None]
    if not kept:
        raise DataError(f"{path} has no row with a label in column {raw.name!r}")
    lost = [row for row, value in enumerate(label.values) if value is None]
    return kept, tuple(f"row {raw.lines[row]}: no {raw.name}" for row in lost)


def _notes_on(name: str, sentences: Sequence[str]) -> list[str]:
    return [f"column {name!r}: {sentence}" for sentence in sentences]


def _relaxed(column: Column, layout: TableLayout) -> Column:
    return column.model_copy(update={"required": False}) if column.name in layout.optional else column


def _groups(raw: RawColumn) -> list[str | None]:
    cells, _ = raw.missing.named(raw.cells)
    return merge_spellings(cells)[0]


def _parts(raw: RawColumn) -> dict[str, Indices]:
    cells = [(cell or "").lower() for cell in raw.texts]
    if unknown := [row for row, cell in enumerate(cells) if cell not in PART_OF]:
        row = unknown[0]
        raise DataError(
            f"split column {raw.name!r} has {raw.texts[row]!r} in row {raw.lines[row]}, and {len(unknown) - 1} more "
            f"rows that are none of {', '.join(PART_OF)}"
        )
    part = np.array([PART_OF[cell] for cell in cells])
    found = {name: np.flatnonzero(part == name) for name in PARTS}
    if empty := [name for name in ("train", "test") if not len(found[name])]:
        raise DataError(f"split column {raw.name!r} puts no row into {empty[0]!r}")
    return found
