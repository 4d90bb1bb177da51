"""INPUT ──▶ `Source`: a folder, a glob or a table, on this machine or in an object store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from models.bundle.head_spec import HeadSpec
from models.errors import DataError
from models.remote.file_systems import open_file_system
from scoring.sources.image_files import is_glob, list_folder, list_glob
from scoring.sources.image_table import check_required, read_table
from scoring.sources.source import Source
from scoring.sources.storage import is_remote, local_path, naming
from scoring.sources.table_plan import TablePlan

TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")


@contextmanager
def open_source(text: str, plan: TablePlan, heads: Sequence[HeadSpec]) -> Iterator[Source]:
    """Opens the input; a table of an object store is copied to this machine while it is open.

    Raises:
        DataError: there is nothing, or it is no input.
    """
    if is_table(text):
        with _on_this_machine(text) as path:
            yield read_table(path, text, plan, heads)
        return
    if plan.columns or plan.keep or plan.images_root:
        raise DataError(f"{text} is no table, so that it has no columns; leave --columns, --keep and --images-root out")
    check_required(heads, (), "only a table has; name a table, FILE.csv or FILE.parquet")
    yield list_folder(text) if not is_glob(text) or _is_folder(text) else list_glob(text)


def is_table(text: str) -> bool:
    """Whether it names a table and not a folder."""
    if is_glob(text) and not (not is_remote(text) and local_path(text).exists()):
        return False
    return (PurePosixPath(text).suffix.lower() in TABLES and not _is_folder(text)) or _is_local_file(text)


def _is_folder(text: str) -> bool:
    return not is_remote(text) and local_path(text).is_dir()


def _is_local_file(text: str) -> bool:
    return not is_remote(text) and local_path(text).is_file()


@contextmanager
def _on_this_machine(text: str) -> Iterator[Path]:
    if not is_remote(text):
        yield local_path(text)
        return
    store, path = open_file_system(text)
    with tempfile.TemporaryDirectory(prefix="tandem-table-") as folder:
        copy = Path(folder) / PurePosixPath(path).name
        with naming(text):
            store.get_file(path, str(copy))
        yield copy
