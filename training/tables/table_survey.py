"""FILE ──▶ `Survey`: what each column is, and which can be used beside an image; a dry run of `table.read`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from models.tables.missing_values import Missing
from models.tables.raw_column import RawColumn
from models.tables.table_columns import open_table, read_columns
from models.tables.table_file import TableFile
from training.data.split_parts import PART_OF
from training.exceptions import ColumnError, DataError
from training.notation.column_types import TypedColumn, find_type
from training.notation.label_column import read_labels
from training.tables.photo_cells import find_photos
from training.tables.table import RESERVED, TableLayout, checked

UNUSABLE = "cannot be used"
"""The description of a column that cannot be used begins with this."""
_CELLS_IN_MEMORY = 10_000_000
_SPLIT_SHARE = 0.2  # of the rows: with so few that are no part, the others are hardly a category
_COUNTED_FROM = 5  # from this many rows on, 1, 2, 3 ... is no coincidence


@dataclass(frozen=True)
class Survey:
    """What is in a table.

    Attributes:
        rows: how many there are, with or without a label.
        how: sentences on how the file is read.
        described: type and contents of each column of the file; or why it cannot be used.
        columns: names of the columns that can be used beside the image and have more than one value.
        split: a column of the words train, validation and test; None if there is none.
    """

    rows: int
    how: tuple[str, ...]
    described: Mapping[str, str]
    columns: tuple[str, ...]
    split: str | None


def survey(path: Path, layout: TableLayout) -> Survey:
    """Describes every column; one that cannot be used is not an error.

    Raises:
        DataError: the file cannot be read, or has a row with too many or too few cells.
    """
    layout = checked(layout)
    file = open_table(path, layout.dialect, [layout.image])
    described: dict[str, str] = dict.fromkeys(file.header, "")
    described |= {name: f"{UNUSABLE}: it {reason}" for name, reason in file.unusable.items()}
    counts = Counter(file.header)
    described |= {name: f"{UNUSABLE}: {count} columns have this name" for name, count in counts.items() if count > 1}
    described.pop("", None)
    rows, usable, split = 0, [], None
    for column in _columns(file, [name for name, text in described.items() if not text], layout):
        if isinstance(column, _Unreadable):
            described[column.name] = f"{UNUSABLE}: {column.reason}"
            continue
        rows = len(column.lines)
        described[column.name], is_usable = _describe(column, path, layout)
        if column.name not in (layout.image, layout.label) and _is_split(column):
            split = split or column.name
        elif is_usable:
            usable.append(column.name)
    return Survey(
        rows, (*file.how, Missing.of(layout.dialect.missing).rule), described, tuple(usable), layout.split or split
    )


class _Unreadable(NamedTuple):
    name: str
    reason: str


def _columns(file: TableFile, names: list[str], layout: TableLayout) -> Iterator[RawColumn | _Unreadable]:
    """Reads as many columns at once as fit in memory; those that cannot be read come with the reason."""
    size = 1
    while names:
        try:
            columns = read_columns(file, names[:size], layout.dialect)
        except ColumnError as error:
            if size > 1:
                size = 1
                continue
            yield _Unreadable(names.pop(0), str(error))
            continue
        names = names[size:]
        yield from columns.values()
        size = max(1, _CELLS_IN_MEMORY // max(1, len(next(iter(columns.values())).lines)))


def _describe(column: RawColumn, path: Path, layout: TableLayout) -> tuple[str, bool]:
    """The description of a column, and whether it can be used beside the image."""
    try:
        if column.name == layout.image:
            root = layout.images_root or path.parent
            files = find_photos(root, column.texts, column.lines, follow=layout.follow)
            several = "" if files.counts is None else f", up to {files.counts.max()} in a row"
            return f"image, {len(set(files.paths)):,} files{several}", False
        if column.name == layout.label:
            return read_labels(column, layout.task).described, False
        typed = find_type(column)
    except DataError as error:
        return f"{UNUSABLE}: {error}", False
    if column.name in RESERVED:
        return f"{UNUSABLE}: the graph of a head has a {column.name!r} of its own; rename it", False
    if doubt := _doubt(typed) or _almost_split(column):
        return f"{typed.described}, {doubt}", False
    return typed.described, column.name not in (layout.split, layout.group)


def _doubt(typed: TypedColumn) -> str:
    """Why a usable column would not help; empty if it may help."""
    different = len(set(typed.values) - {None})
    if different == 1:
        return "the same in all rows"
    first = typed.values[0]
    is_whole = isinstance(first, float) and first.is_integer() and typed.column.type == "number"
    if is_whole and different >= _COUNTED_FROM and typed.values == [first + row for row in range(len(typed.values))]:  # type: ignore[operator]
        return "counts the rows"
    return ""


def _almost_split(column: RawColumn) -> str:
    """Why a column of train, validation and test is not used as the split; empty if it is something else."""
    others = [row for row, cell in enumerate(column.texts) if (cell or "").lower() not in PART_OF]
    parts = {PART_OF[cell.lower()] for cell in set(column.texts) if cell and cell.lower() in PART_OF}
    if len(parts) < 2 or not 0 < len(others) < _SPLIT_SHARE * len(column.texts):
        return ""
    row = others[0]
    return (
        f"a split but for {len(others)} rows, such as row {column.lines[row]} with {column.texts[row]!r}; mend them, "
        "or leave the column out"
    )


def _is_split(column: RawColumn) -> bool:
    return bool(column.texts) and {cell and cell.lower() for cell in column.texts} <= PART_OF.keys()
