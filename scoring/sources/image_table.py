"""FILE.csv or FILE.parquet ──▶ `Source`: paths or bytes of images, with the columns that heads take."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.errors import DataError
from models.tables.image_paths import image_path
from models.tables.known_columns import Value, read_values
from models.tables.parquet_table import ParquetTable
from models.tables.raw_column import RawColumn
from models.tables.table_columns import open_table, read_columns
from models.tables.table_file import TableFile, check_names, clean_names
from scoring.chunks import Failed, Image, Span
from scoring.sources.image_bytes import ImageBytes, holds_bytes, paths_of
from scoring.sources.source import Source
from scoring.sources.storage import is_remote, local_path
from scoring.sources.table_plan import TablePlan

ID = "id"
"""A column of this name is always kept."""
OWN_COLUMNS = frozenset({"path", "embedding", "model", "error", "error_detail"})
"""Of the output, beside those of the heads."""
_BLOCK = 1 << 20


def read_table(path: Path, named: str, plan: TablePlan, heads: Sequence[HeadSpec]) -> Source:
    """Reads a table.

    Args:
        path: the file on this machine.
        named: as the command names it: a path or a URL.
        plan: what is read of it.
        heads: those that are asked.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    file = open_table(path, plan.dialect)
    given, image = _given(file, plan, heads), clean_names((plan.image,))[0]
    kept = tuple(dict.fromkeys((*((ID,) if ID in file.header else ()), *clean_names(plan.keep))))
    check_names(path, file.header, [image, *kept])
    _check_kept(kept, heads)
    is_parquet = isinstance(file, ParquetTable)
    has_bytes = is_parquet and holds_bytes(path, image)
    texts = [*([] if has_bytes else [image]), *given, *([] if is_parquet else kept)]
    raw = read_columns(file, tuple(dict.fromkeys(texts)), plan.dialect)
    root = plan.images_root or (named.rpartition("/")[0] if is_remote(named) else str(path.parent))
    paths: Sequence[str | None]
    images: Callable[[Span], list[Image]]
    if has_bytes:
        paths, images = list(paths_of(path, image)), ImageBytes(path, image)
    else:
        paths, images = raw[image].texts, _looked_up(root, raw[image])
    rows = len(paths)
    if not rows:
        raise DataError(f"{named} has a header and no rows")
    return Source(
        described=f"{rows:,} rows of {named}",
        fingerprint=_sha256(path),
        kept=_kept(file, paths, {name: raw.get(name) for name in kept}),
        images=images,
        is_table=True,
        columns=_values(given, raw),
        notes=file.how,
    )


def columns_of(heads: Sequence[HeadSpec]) -> dict[str, Column]:
    """The columns of heads by their names."""
    return {column.name: column for head in reversed(heads) for column in head.columns}


def check_required(heads: Sequence[HeadSpec], names: Sequence[str], where: str) -> None:
    """Checks that no column is left out without which a head cannot decide.

    Raises:
        DataError: one is; every image would be an error.
    """
    for head in heads:
        if lacking := [column.name for column in head.columns if column.required and column.name not in names]:
            raise DataError(f"head {head.name!r} requires column {lacking[0]!r}, which {where}")


def _check_kept(names: Sequence[str], heads: Sequence[HeadSpec]) -> None:
    """Refuses to keep a column whose name the output needs for itself.

    Raises:
        DataError: with the name.
    """
    for name in names:
        if name in OWN_COLUMNS or any(name.startswith(f"{head.name}.") for head in heads):
            raise DataError(f"a kept column cannot be called {name!r}, as the output's own is; rename it")


def _given(file: TableFile, plan: TablePlan, heads: Sequence[HeadSpec]) -> dict[str, Column]:
    """The columns that heads are given, by their names."""
    known = columns_of(heads)
    names = [name for name in known if name in file.header] if plan.columns is None else clean_names(plan.columns)
    if unknown := [name for name in names if name not in known]:
        takes = ", ".join(map(repr, known)) or "no columns"
        raise DataError(f"no head that is asked takes column {unknown[0]!r}; they take {takes}")
    lack = f"{file.path.name} does not have; it has {', '.join(map(repr, file.header[:30]))}"
    check_required(heads, names, lack if plan.columns is None else "--columns does not name")
    return {name: known[name] for name in names}


def _values(given: Mapping[str, Column], raw: Mapping[str, RawColumn]) -> dict[str, list[Value]]:
    return {name: read_values(raw[name], column) for name, column in given.items()}


def _looked_up(root: str, raw: RawColumn) -> Callable[[Span], list[Image]]:
    """Gives the paths that a column names."""
    cells, lines = raw.texts, raw.lines
    if not is_remote(root):
        root = os.path.abspath(local_path(root))  # noqa: PTH100 (links stay as they are)
    find = _remote_path if is_remote(root) else _local_path

    def images(span: Span) -> list[Image]:
        return [
            find(root, cell, line) if cell else Failed("unreadable", f"row {line} names no image")
            for cell, line in zip(cells[slice(*span)], lines[slice(*span)], strict=True)
        ]

    return images


def _local_path(root: str, cell: str, line: int) -> Image:
    try:
        return str(image_path(Path(root), cell, line))
    except DataError as error:
        return Failed("unreadable", str(error))


def _remote_path(root: str, cell: str, line: int) -> Image:
    """The path in the store of a URL below the root, or of a path relative to it."""
    name = cell.removeprefix(root.rstrip("/") + "/")
    if "://" in name or ".." in PurePosixPath(name).parts or name.startswith("/"):
        return Failed("unreadable", f"row {line}: {cell[:80]!r} is not below {root}; name its root with --images-root")
    return f"{root.partition('://')[2].rstrip('/')}/{name}"


def _kept(file: TableFile, paths: Sequence[str | None], raw: Mapping[str, RawColumn | None]) -> Any:
    """The table of `path` and the kept columns: of parquet as they are stored, of a text file as texts."""
    columns = {"path": pa.array([None if text is None else _valid(text) for text in paths], pa.string())}
    if isinstance(file, ParquetTable):
        names = dict(zip(file.header, parquet.read_schema(file.path).names, strict=True))
        stored = parquet.read_table(file.path, columns=[names[name] for name in raw])
        return pa.table(columns | {name: stored[names[name]] for name in raw})
    texts = {name: [text or None for text in of.texts] for name, of in raw.items() if of is not None}
    return pa.table(columns | {name: pa.array(cells, pa.string()) for name, cells in texts.items()})


def _valid(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
