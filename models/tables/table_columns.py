"""FILE, and names of its columns ──▶ `RawColumn`: their cells as they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from models.errors import DataError
from models.tables.csv_table import open_csv
from models.tables.dialect import Dialect
from models.tables.missing_values import Missing
from models.tables.parquet_table import open_parquet
from models.tables.raw_column import RawColumn
from models.tables.table_file import TableFile

MAX_ROWS = 2_000_000
"""The limit. Rows are read as a stream, and only the needed columns are kept."""
_TEXTS = frozenset({".csv", ".tsv", ".tab", ".txt"})
_PARQUETS = frozenset({".parquet", ".pq"})
_AS_CSV = "save it as CSV in UTF-8, and name that file"
_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), f"is a spreadsheet; {_AS_CSV}"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), f"is JSON; {_AS_CSV}"),
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst"), "is compressed; unpack it first"),
    **dict.fromkeys(
        (".feather", ".arrow", ".orc", ".avro"), "is in a binary format other than parquet; save it as parquet"
    ),
}
_SIGNATURES = {
    b"PAR1": "is a parquet file; name it .parquet",
    b"PK\x03\x04": f"is a spreadsheet or another ZIP file; {_AS_CSV}",
    b"\xd0\xcf\x11\xe0": f"is a spreadsheet; {_AS_CSV}",
    b"\x1f\x8b": "is compressed; unpack it first",
}


def open_table(path: Path, dialect: Dialect, lists: Collection[str] = ()) -> TableFile:
    """Finds out how a file is written.

    Args:
        path: of the file.
        dialect: what was asked for.
        lists: names of columns that may hold lists of texts, in a file that has such types; a cell is then JSON.

    Raises:
        DataError: it is no CSV and no parquet, or cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path} is no file; name a table, FILE.csv or FILE.parquet")
    ending = path.suffix.lower()
    if ending in _PARQUETS:
        return open_parquet(path, dialect.decimal, lists)
    if ending not in _TEXTS:
        raise DataError(f"{path} {_ADVICE.get(ending, 'is no .csv, .tsv, .txt or .parquet file')}")
    with path.open("rb") as file:
        start = file.read(4)
    if advice := next((advice for signature, advice in _SIGNATURES.items() if start.startswith(signature)), None):
        raise DataError(f"{path} {advice}")
    return open_csv(path, dialect)


def read_columns(file: TableFile, names: Sequence[str], dialect: Dialect) -> dict[str, RawColumn]:
    """Reads some columns.

    Raises:
        DataError: a column does not exist, a row cannot be read, or there are too many rows.
    """
    cells: dict[str, list[str | None]] = {name: [] for name in names}
    lines: list[int] = []
    appends = [column.append for column in cells.values()]
    for line, row in file.rows(names):
        lines.append(line)
        for append, cell in zip(appends, row, strict=True):
            append(cell)
        if len(lines) > MAX_ROWS:
            raise DataError(f"{file.path} has more than {MAX_ROWS:,} rows, which is the limit; take a part of it")
    missing = Missing.of(dialect.missing)
    return {name: RawColumn(name, cells[name], lines, file.types.get(name), missing, file.decimals) for name in names}
